#include "gateway/socketio/eio_answer.h"

void eio_answer_error(const struct http_request *request, enum eio_error error) {
    http_answer_and_keep(request, eio_error_status(error), EIO_JSON_TYPE,
                         slice_of(eio_error_body(error)), NULL);
}

void eio_answer_head(const struct http_request *request, enum eio_error error) {
    http_answer(request, eio_error_status(error), EIO_JSON_TYPE,
                slice_of(eio_error_body(error)), NULL);
}

void eio_answer_error_later(struct http_later *later, enum eio_error error) {
    http_answer_later(later, eio_error_status(error), EIO_JSON_TYPE,
                      slice_of(eio_error_body(error)), NULL);
}

void eio_answer_text(struct http_later *later, struct slice text) {
    http_answer_later(later, 200, EIO_TEXT_TYPE, text, NULL);
}

void eio_answer_unknown(struct http_later *later) {
    eio_answer_error_later(later, EIO_E_SID);
}

void eio_answer_nothing(struct http_later *later) {
    eio_answer_text(later, SLICE("6"));
}
