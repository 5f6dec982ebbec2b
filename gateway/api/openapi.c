#include "gateway/api/openapi.h"

#include <ctype.h>

#define NAME_WORDS "1 to 128 bytes of UTF-8 without white space, control characters or braces"

/* --- OpenAPI --------------------------------------------------------------------------------
 */

static const char schemas[] =
    "\"Name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128,"
    "\"pattern\":\"^[^\\\\s{}]+$\",\"description\":\"" NAME_WORDS "\"},"
    "\"User\":{\"type\":[\"string\",\"integer\"],\"minLength\":1,\"maxLength\":128,"
    "\"pattern\":\"^[^\\\\s{}:]+$\",\"description\":\"" NAME_WORDS
    " or colons; or an integer, which is its digits\"},"
    "\"Channel\":{\"type\":\"string\",\"pattern\":\"^(all|(topic|room|socket):[^\\\\s{}]+|"
    "user:[^\\\\s{}:]+)$\",\"description\":\"topic:NAME, room:NAME, user:ID, socket:ID or "
    "all\"},"
    "\"Log\":{\"type\":\"string\",\"pattern\":\"^((topic|room):[^\\\\s{}]+|user:[^\\\\s{}:]+|"
    "dm:[^\\\\s{}:]+:[^\\\\s{}:]+)$\",\"description\":\"topic:NAME, room:NAME, user:ID, or "
    "dm:A:B with the two ids in the order of their bytes\"},"
    "\"Event\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128,"
    "\"description\":\"1 to 128 bytes of UTF-8 without control characters, quotes or "
    "backslashes\"},"
    "\"Request\":{\"type\":\"object\",\"properties\":{\"method\":{\"type\":\"string\"},"
    "\"path\":{\"type\":\"string\",\"pattern\":\"^/\",\"description\":\"below /api/v1, with "
    "its "
    "query\"},\"body\":{},\"key\":{\"type\":\"string\",\"description\":\"its "
    "Idempotency-Key\"}},\"required\":[\"method\",\"path\"]},"
    "\"Error\":{\"type\":\"object\",\"properties\":{\"error\":{\"type\":\"object\","
    "\"properties\":{\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"},"
    "\"field\":{\"type\":\"string\"},\"outcome\":{\"enum\":[\"refused\",\"unknown\"],"
    "\"description\":\"refused: nothing was stored; unknown: perhaps it was\"}},"
    "\"required\":[\"code\",\"message\"]}},\"required\":[\"error\"]}";

static const struct {
    const char *status;
    const char *what;
} refusals[] = {{"400", "The body, or a field, is missing or wrong"},
                {"401", "No key, or an unknown one"},
                {"403", "The key has no right to this"},
                {"404", "It is not there"},
                {"409", "It cannot be done as things are, or the Idempotency-Key was used for "
                        "another request"},
                {"413", "The body is too long"},
                {"429", "Too many requests of this key are under way"},
                {"503", "Redis cannot be reached or refuses"}};
#define REFUSALS (sizeof refusals / sizeof *refusals)

static void put_text(struct buf *out, const char *text) {
    json_escape(out, slice_of(text));
}

/* The rights that are good for a route, by name. */
static void put_rights(struct buf *out, const struct api_route *r) {
    if ((r->rights & API_ALL) == API_ALL)
        buf_str(out, "any key");
    else
        buf_printf(out, "the right %s",
                   (r->rights & API_PUBLISH) != 0 ? "publish"
                   : (r->rights & API_READ) != 0  ? "read"
                                                  : "users");
    if ((r->rights & API_ADMIN) != 0)
        buf_str(out, ", or admin-token");
}

static void put_parameter(struct buf *out, const char *in, struct slice name,
                          const struct api_field *f, bool first) {
    buf_str(out, first ? "" : ",");
    buf_str(out, "{\"name\":");
    json_escape(out, name);
    buf_printf(out, ",\"in\":\"%s\",\"required\":%s", in, f->needed ? "true" : "false");
    if (f->help != NULL) {
        buf_str(out, ",\"description\":");
        put_text(out, f->help);
    }
    buf_str(out, ",\"schema\":");
    api_field_schema(out, f);
    buf_char(out, '}');
}

static void put_parameters(struct buf *out, const struct api_route *r) {
    static const struct api_field once = {.type = API_TEXT,
                                          .help = "1 to 128 visible ASCII characters: a repeat "
                                                  "within 5 minutes gives the same answer"};
    struct slice path = slice_of(r->path);
    bool first = true;
    buf_str(out, ",\"parameters\":[");
    while (path.len > 0) {
        struct slice word = slice_cut(&path, '/');
        if (word.len == 0 || word.ptr[0] != '{')
            continue;
        word = (struct slice){word.ptr + 1, word.len - 2};
        struct api_field part = {.type = api_part_type(word), .needed = true};
        put_parameter(out, "path", word, &part, first);
        first = false;
    }
    for (const struct api_field *f = r->query; f != NULL && f->name != NULL; f++) {
        put_parameter(out, "query", slice_of(f->name), f, first);
        first = false;
    }
    if (r->once)
        put_parameter(out, "header", SLICE("Idempotency-Key"), &once, first);
    buf_char(out, ']');
}

static void put_body(struct buf *out, const struct api_route *r) {
    const struct api_field *f;
    unsigned needed = 0;
    buf_str(out, ",\"requestBody\":{\"content\":{\"application/json\":{\"schema\":"
                 "{\"type\":\"object\",\"properties\":{");
    for (f = r->body; f->name != NULL; f++) {
        buf_str(out, f > r->body ? "," : "");
        put_text(out, f->name);
        buf_str(out, ":{\"description\":");
        put_text(out, f->help);
        buf_str(out, ",\"allOf\":[");
        api_field_schema(out, f);
        buf_str(out, "]}");
    }
    buf_char(out, '}');
    for (f = r->body; f->name != NULL; f++) {
        if (!f->needed)
            continue;
        buf_str(out, needed++ > 0 ? "," : ",\"required\":[");
        put_text(out, f->name);
    }
    buf_str(out, needed > 0 ? "]" : "");
    if (r->rule != NULL) {
        buf_char(out, ',');
        buf_str(out, r->rule);
    }
    buf_printf(out, "}}},\"required\":%s}", needed > 0 || r->rule != NULL ? "true" : "false");
}

static bool may_answer(const struct api_route *r, const char *status) {
    if (strcmp(status, "404") == 0 || strcmp(status, "409") == 0)
        return (r->also != NULL && strstr(r->also, status) != NULL) ||
               (r->once && status[2] == '9');
    if (strcmp(status, "413") == 0)
        return strcmp(r->method, "POST") == 0;
    return true;
}

static void put_responses(struct buf *out, const struct api_route *r) {
    buf_str(out, ",\"responses\":{\"200\":{\"description\":\"Good\",\"content\":{\"");
    buf_str(out, r->type != NULL ? r->type : "application/json");
    buf_str(out, "\":{\"schema\":");
    buf_str(out, r->answer);
    buf_str(out, "}}}");
    for (size_t i = 0; i < REFUSALS; i++) {
        if (may_answer(r, refusals[i].status))
            buf_printf(out, ",\"%s\":{\"$ref\":\"#/components/responses/E%s\"}",
                       refusals[i].status, refusals[i].status);
    }
    buf_char(out, '}');
}

static void put_operation(struct buf *out, const struct api_route *r) {
    char method[8] = "";
    for (size_t i = 0; r->method[i] != '\0' && i < sizeof method - 1; i++)
        method[i] = (char)tolower((unsigned char)r->method[i]);
    buf_printf(out, "\"%s\":{\"operationId\":\"%s\",\"summary\":", method, r->name);
    put_text(out, r->about);
    buf_str(out, ",\"description\":\"Needs ");
    put_rights(out, r);
    buf_str(out, ".\"");
    put_parameters(out, r);
    if (r->body != NULL)
        put_body(out, r);
    put_responses(out, r);
    buf_char(out, '}');
}

/* Has a row before this one the same path? Then it stands there already. */
static bool is_known(const struct api_source *s, size_t row) {
    for (size_t i = 0; i < row; i++) {
        if (strcmp(s->routes[i].path, s->routes[row].path) == 0)
            return true;
    }
    return false;
}

static void put_path(struct buf *out, const struct api_source *s, size_t row) {
    bool first = true;
    put_text(out, s->routes[row].path);
    buf_str(out, ":{");
    for (size_t i = row; i < s->route_count; i++) {
        if (strcmp(s->routes[i].path, s->routes[row].path) != 0)
            continue;
        buf_str(out, first ? "" : ",");
        put_operation(out, &s->routes[i]);
        first = false;
    }
    buf_char(out, '}');
}

static void put_components(struct buf *out) {
    buf_printf(out,
               "\"components\":{\"securitySchemes\":{\"key\":{\"type\":\"http\","
               "\"scheme\":\"bearer\"}},\"schemas\":{%s},\"responses\":{",
               schemas);
    for (size_t i = 0; i < REFUSALS; i++)
        buf_printf(out,
                   "%s\"E%s\":{\"description\":\"%s\",\"content\":{\"application/json\":"
                   "{\"schema\":{\"$ref\":\"#/components/schemas/Error\"}}}}",
                   i > 0 ? "," : "", refusals[i].status, refusals[i].what);
    buf_str(out, "}}");
}

void api_openapi_get(struct api_call *c) {
    const struct api_source *s = c->source;
    struct buf out;
    buf_init(&out);
    buf_str(&out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Sluice\",\"version\":\"" //
            SLUICE_VERSION "\",\"description\":\"The API for back ends.\",\"license\":"
                  "{\"name\":\"MIT\",\"identifier\":\"MIT\"}},"
                  "\"servers\":[{\"url\":\"" API_ROOT "\"}],"
                  "\"security\":[{\"key\":[]}],\"paths\":{");
    for (size_t i = 0; i < s->route_count; i++) {
        if (is_known(s, i))
            continue;
        buf_str(&out, i > 0 ? "," : "");
        put_path(&out, s, i);
    }
    buf_str(&out, "},");
    put_components(&out);
    buf_str(&out, "}\n");
    if (out.failed)
        api_unavailable(c, OUTCOME_NONE);
    else
        api_answer(c, buf_bytes(&out));
    buf_deinit(&out);
}

/* --- the page -------------------------------------------------------------------------------
 */

static void put_html(struct buf *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '<')
            buf_str(out, "&lt;");
        else if (*text == '&')
            buf_str(out, "&amp;");
        else
            buf_char(out, *text);
    }
}

static void put_rows(struct buf *out, const struct api_field *f, const char *where) {
    for (; f != NULL && f->name != NULL; f++) {
        buf_printf(out, "<tr><td><code>%s</code></td><td>%s%s</td><td>", f->name, where,
                   f->needed ? ", needed" : "");
        api_field_words(out, f);
        buf_str(out, "</td><td>");
        put_html(out, f->help);
        buf_str(out, "</td></tr>\n");
    }
}

static void put_section(struct buf *out, const struct api_route *r) {
    buf_printf(out, "<h2 id=\"%s\"><code>%s " API_ROOT "%s</code></h2>\n<p>", r->name,
               r->method, r->path);
    put_html(out, r->about);
    buf_str(out, " Needs ");
    put_rights(out, r);
    buf_str(out, r->once ? ". Takes <code>Idempotency-Key</code>.</p>\n" : ".</p>\n");
    if (r->query != NULL || r->body != NULL)
        buf_str(out, "<table><tr><th>field</th><th></th><th>is</th><th></th></tr>\n");
    put_rows(out, r->query, "query");
    put_rows(out, r->body, "body");
    if (r->query != NULL || r->body != NULL)
        buf_str(out, "</table>\n");
    buf_str(out, "<details><summary>answer</summary><pre>");
    put_html(out, r->answer);
    buf_str(out, "</pre></details>\n");
}

void api_docs_get(struct api_call *c) {
    const struct api_source *s = c->source;
    struct buf out;
    buf_init(&out);
    buf_str(
        &out,
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sluice API</title>\n"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
        "padding:0 1rem}td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}"
        "h2{font-size:1rem;margin-top:2rem}pre{white-space:pre-wrap;word-break:break-all}"
        "</style>\n<h1>Sluice API</h1>\n"
        "<p>Every request has <code>Authorization: Bearer KEY</code>. A refusal is "
        "<code>{\"error\":{\"code\",\"message\",\"field\"?,\"outcome\"?}}</code>.</p>\n");
    for (size_t i = 0; i < s->route_count; i++)
        put_section(&out, &s->routes[i]);
    buf_str(&out, "</html>\n");
    if (out.failed)
        api_unavailable(c, OUTCOME_NONE);
    else
        api_answer_as(c, "text/html; charset=utf-8", buf_bytes(&out));
    buf_deinit(&out);
}
