#include "gateway/net/conn_address.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

void conn_address_set(struct conn_address *a, const struct sockaddr *from) {
    memset(a, 0, sizeof *a);
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        memcpy(a->ip, &in6->sin6_addr, 16);
        a->port = ntohs(in6->sin6_port);
    } else if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        a->ip[10] = a->ip[11] = 0xff;
        memcpy(a->ip + 12, &in->sin_addr, 4);
        a->port = ntohs(in->sin_port);
    }
}

bool conn_address_is_ip4(const struct conn_address *a) {
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(a->ip, mapped, 12) == 0;
}

void conn_address_text(const struct conn_address *a, char out[CONN_ADDRESS_SIZE]) {
    char ip[INET6_ADDRSTRLEN] = "?";
    if (conn_address_is_none(a)) {
        snprintf(out, CONN_ADDRESS_SIZE, "unix");
        return;
    }
    if (conn_address_is_ip4(a)) {
        uv_inet_ntop(AF_INET, a->ip + 12, ip, sizeof ip);
        snprintf(out, CONN_ADDRESS_SIZE, "%s:%u", ip, a->port);
    } else {
        uv_inet_ntop(AF_INET6, a->ip, ip, sizeof ip);
        snprintf(out, CONN_ADDRESS_SIZE, "[%s]:%u", ip, a->port);
    }
}

bool conn_address_is_none(const struct conn_address *a) {
    return a->port == 0 && !conn_address_is_ip4(a) && conn_address_is_any(a);
}

bool conn_address_parse(struct conn_address *a, const char *text) {
    struct conn_address made = {.port = 0};
    made.ip[10] = made.ip[11] = 0xff;
    if (uv_inet_pton(AF_INET, text, made.ip + 12) != 0 &&
        uv_inet_pton(AF_INET6, text, made.ip) != 0)
        return false;
    *a = made;
    return true;
}

bool conn_address_read(struct conn_address *a, struct slice text) {
    char ip[INET6_ADDRSTRLEN + 1];
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon < 2 || text.len - colon < 1 || text.len - colon > 5)
        return false;
    struct slice host = {text.ptr, colon - 1};
    unsigned port = 0;
    for (size_t i = colon; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
    }
    if (host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (struct slice){host.ptr + 1, host.len - 2};
    if (port == 0 || port > 65535 || host.len >= sizeof ip)
        return false;
    memcpy(ip, host.ptr, host.len);
    ip[host.len] = '\0';
    if (!conn_address_parse(a, ip))
        return false;
    a->port = (uint16_t)port;
    return true;
}

void conn_address_get(const struct conn_address *a, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (conn_address_is_ip4(a)) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(a->port);
        memcpy(&in->sin_addr, a->ip + 12, 4);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(a->port);
        memcpy(&in6->sin6_addr, a->ip, 16);
    }
}

bool conn_address_is_any(const struct conn_address *a) {
    static const unsigned char zeros[16];
    return conn_address_is_ip4(a) ? memcmp(a->ip + 12, zeros, 4) == 0
                                  : memcmp(a->ip, zeros, sizeof zeros) == 0;
}
