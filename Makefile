# Sluice. `make` builds build/sluice; `make help` lists the targets.
#
#     make V=1            shows whole commands
#     make CC=clang       builds with another compiler
#     make test T=health  runs the tests whose path has "health" in it

VERSION := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG     ?= clang
LIBRARIES := libuv hiredis libcjson libcurl openssl zlib
# msgpack-c has another name from its version 6 on.
MSGPACK   := $$(pkg-config --exists msgpack-c && echo msgpack-c || echo msgpack)

ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' '$(1)' '$(2)')

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run test check format clean help deps deps-run deps-test deps-check deps-deb format-check FORCE
.PHONY: layers-check options-check

all: build/sluice ## build/sluice (the default)

# ---- What the libraries need: looked up, and installed if missing, before anything is built.
# Rewritten only when something changed; every object depends on it.
ifneq ($(filter-out clean help format uninstall,$(or $(MAKECMDGOALS),all)),)
include build/config.mk
endif

build/config.mk: FORCE
	@CC='$(CC)' scripts/install-deps build
	@mkdir -p build
	@printf '%s\n' \
	  'BUILT_BY  := $(CC) $(CFLAGS) $(LDFLAGS)' \
	  "LIB_FLAGS := $$(pkg-config --cflags $(LIBRARIES) $(MSGPACK) | sed 's/-I/-isystem /g')" \
	  "LIBS      := $$(pkg-config --libs $(LIBRARIES) $(MSGPACK)) -lwslay -lm" \
	  "LLHTTP    := $$(pkg-config --libs libllhttp 2>/dev/null)" \
  "HARDENED  := $$(scripts/hardening-flags '$(CC)' | tr '\n' ' ')" \
  "CLANG_HARDENED := $$(scripts/hardening-flags '$(CLANG)' | tr '\n' ' ')" >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# ---- Sources
MODULES   := common gateway $(addprefix gateway/,node cli data api pages doors events login emitters session client \
               presence cluster channel socketio net redis hooks tap auth)
SOURCES   := $(wildcard $(MODULES:%=%/*.c))
UNIT      := $(wildcard tests/unit/test_*.c)
UNIT_HELP := $(filter-out $(UNIT),$(wildcard tests/unit/*.c))
CONFORM   := $(wildcard tests/conformance/*.c)
C_FILES   := $(wildcard $(MODULES:%=%/*.[ch]) tests/unit/*.[ch] tests/fuzz/*.[ch] \
               tests/conformance/*.[ch] tests/bench/*.c tests/bench/load/*.[ch])
EMBEDDED  := $(wildcard gateway/redis/lua/*.lua gateway/web/*)

# Debian 12 ships llhttp as generated C, compiled where it lies; later releases as a library.
ifeq ($(LLHTTP),)
LLHTTP_OBJECTS := $(addprefix build/llhttp/,api.o http.o llhttp.o)
LIB_FLAGS      += -isystem /usr/share/include/llhttp
endif

# ---- Flags
STD     := -std=c11 -D_GNU_SOURCE -I. -DSLUICE_VERSION='"$(VERSION)"'
WARN    := -Wall -Wextra -Wshadow
STRICT  := $(WARN) -Werror -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
           -Wformat=2 -Wno-format-nonliteral -Wpointer-arith
RELEASE := -O2 -g -fPIE -fstack-protector-strong -U_FORTIFY_SOURCE
HARDEN  := -pie -Wl,-z,relro,-z,now,-z,noexecstack
ASAN    := -O1 -g -fPIE -fsanitize=address,undefined -fno-sanitize-recover=undefined \
           -fno-omit-frame-pointer

build/release/% build/sluice build/sluice-conformance: FLAGS := $(RELEASE) $(HARDENED) $(WARN)
build/asan/%:                 FLAGS := $(ASAN) $(WARN)
build/clang/%:                FLAGS := $(RELEASE) $(CLANG_HARDENED) $(STRICT)
build/clang/tests/%:          FLAGS := $(RELEASE) $(CLANG_HARDENED) $(WARN) -Werror
build/clang/%:                CC    := $(CLANG)

C_ARGS  = $(STD) $(LIB_FLAGS) $(FLAGS) $(CFLAGS)
# Libraries of which only tests have a use are left out, with and without a sanitizer.
LINK    = $(CC) $(FLAGS) $(CFLAGS) -o $@ $(filter %.o,$^) $(LDFLAGS) -Wl,--as-needed $(LIBS) $(LLHTTP)
objects = $(SOURCES:%.c=build/$(1)/%.o) $(LLHTTP_OBJECTS)

# ---- One way to compile, three variants
define compile
$(call say,$(CC),$@)
@mkdir -p $(@D)
$(Q)$(CC) $(C_ARGS) -MMD -MP -c -o $@ $<
endef

build/release/%.o: %.c Makefile build/config.mk
	$(compile)
build/asan/%.o: %.c Makefile build/config.mk
	$(compile)
build/clang/%.o: %.c Makefile build/config.mk | deps-check
	$(compile)

build/llhttp/%.o: /usr/share/llhttp/%.c Makefile build/config.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIB_FLAGS) $(RELEASE) $(HARDENED) -w -c -o $@ $<

# These two hold files by .incbin, which -MMD does not see.
VARIANTS := release asan clang fuzz fuzz-fast
$(VARIANTS:%=build/%/gateway/redis/scripts.o) $(VARIANTS:%=build/%/gateway/pages/assets.o): $(EMBEDDED)

build/sluice: $(call objects,release)
	$(call say,link,$@)
	$(Q)$(LINK) $(HARDEN)
# Made of the table of commands and that of options.
build/sluice.1: build/sluice
	$(call say,man,$@)
	$(Q)build/sluice --help=man >$@
build/asan/sluice: $(call objects,asan)
	$(call say,link,$@)
	$(Q)$(LINK)
build/clang/sluice: $(call objects,clang)
	$(call say,link,$@)
	$(Q)$(LINK) $(HARDEN)

# The doors with an echo in place of the chat, for the test suites of the protocols.
conform = $(CONFORM:%.c=build/$(1)/%.o) $(filter-out %/gateway/main.o,$(call objects,$(1)))
build/sluice-conformance: $(call conform,release)
	$(call say,link,$@)
	$(Q)$(LINK) $(HARDEN)
build/asan/sluice-conformance: $(call conform,asan)
	$(call say,link,$@)
	$(Q)$(LINK)

# ---- Nodes that break a promise, which tests/chaos must find. One object differs from asan.
BROKEN_heal        := gateway/channel/heal
BROKEN_idempotency := gateway/client/field
BROKEN             := build/broken-heal/sluice build/broken-idempotency/sluice

build/broken-heal/%:        FLAGS := $(ASAN) $(WARN) -DSLUICE_BREAK_HEAL
build/broken-idempotency/%: FLAGS := $(ASAN) $(WARN) -DSLUICE_BREAK_IDEMPOTENCY

define broken
build/broken-$(1)/$(BROKEN_$(1)).o: $(BROKEN_$(1)).c Makefile build/config.mk
	$$(compile)
build/broken-$(1)/sluice: build/broken-$(1)/$(BROKEN_$(1)).o \
    $$(filter-out build/asan/$(BROKEN_$(1)).o,$$(call objects,asan))
	$$(call say,link,$$@)
	$$(Q)$$(LINK)
endef
$(eval $(call broken,heal))
$(eval $(call broken,idempotency))

# ---- make run, make test
run: all deps-run ## a private Redis, two nodes and nginx; ends with Ctrl-C. AUTH=1: with tokens
	@AUTH='$(AUTH)' exec scripts/run

UNIT_PROGRAMS := $(UNIT:tests/unit/%.c=build/asan/tests/%)
UNIT_SHARED   := $(filter-out %/main.o,$(call objects,asan))
REPLAYS       := $(patsubst tests/fuzz/%.c,build/asan/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

test: build/sluice build/asan/sluice build/asan/sluice-conformance $(BROKEN) $(UNIT_PROGRAMS) $(REPLAYS) deps-test ## every test, with ASan and UBSan
	@exec tests/run $(T)

$(UNIT:%.c=build/asan/%.o) $(UNIT_HELP:%.c=build/asan/%.o): | deps-test
# These have fake_redis.c in the place of redis.c. Each links its room and what is below it alone, so
# a call that points up does not link.
room = $(wildcard gateway/$(1)/*.c)
BELOW_channel  := $(wildcard common/*.c) gateway/net/slab.c gateway/redis/reply.c \
                  gateway/redis/clock.c gateway/redis/spread.c gateway/redis/batch.c \
                  gateway/redis/answers.c gateway/redis/errors.c \
                  tests/unit/fake_redis.c tests/unit/told.c
ROOM_channel   := $(BELOW_channel) $(call room,channel)
ROOM_cluster   := $(BELOW_channel) $(call room,cluster) gateway/net/conn_address.c \
                  gateway/net/token.c
ROOM_presence  := $(ROOM_channel) $(ROOM_cluster) $(call room,presence)
ROOM_client    := $(ROOM_presence) $(call room,auth) $(call room,hooks) gateway/https.c \
                  $(call room,client) gateway/events/emits.c gateway/options.c gateway/spaces.c
ROOM_session   := $(ROOM_client) $(call room,session)
ROOM_auth      := $(wildcard common/*.c) gateway/options.c gateway/https.c tests/unit/fake_fetch.c \
                  $(filter-out gateway/auth/fetch.c,$(call room,auth))
ROOM_api       := $(BELOW_channel) gateway/api/json.c gateway/api/merge.c
ALONE_api      := api_json
ALONE_auth     := auth
ALONE_channel  := channel private batch
ALONE_cluster  := lease reaper peers
ALONE_presence := registry heartbeat membership overdue placing
ALONE_client   := request request_fails early
ALONE_session  := session keep offset_sent offset_apart recovered
BENCH_cluster  := tests/unit/lease_bench.c
BENCH_presence := tests/unit/registry_bench.c
BENCH_client   := tests/unit/client_bench.c tests/unit/unheard.c
BENCH_session  := tests/unit/session_bench.c tests/unit/unheard.c
ALONE          := api auth channel cluster presence client session
program         = build/asan/tests/test_$(1)
UNIT_ALONE     := $(foreach r,$(ALONE),$(foreach a,$(ALONE_$(r)),$(call program,$(a))))

define alone
$(foreach a,$(ALONE_$(1)),$(call program,$(a))): \
    $(patsubst %.c,build/asan/%.o,$(ROOM_$(1)) $(BENCH_$(1)))
endef
$(foreach r,$(ALONE),$(eval $(call alone,$(r))))
$(filter-out $(UNIT_ALONE),$(UNIT_PROGRAMS)): $(UNIT_SHARED)
# Programs of one subject share what they stand on.
$(addprefix build/asan/tests/test_,ws ws_deflate ws_fails): build/asan/tests/unit/ws_session.o
$(addprefix build/asan/tests/test_,token jwk auth): build/asan/tests/unit/token_bench.o
$(addprefix build/asan/tests/test_,http http_body http_watch wsock_hold): build/asan/tests/unit/http_bench.o
$(addprefix build/asan/tests/test_,link link_attempts link_greeting): build/asan/tests/unit/link_bench.o
$(UNIT_PROGRAMS): build/asan/tests/%: build/asan/tests/unit/%.o
	$(call say,link,$@)
	$(Q)$(LINK) -lcmocka
build/asan/tests/test_oom: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# ---- make check: clang without a warning, clang-format, clang-tidy
CLANG_TESTS := $(UNIT:%.c=build/clang/%.o) $(UNIT_HELP:%.c=build/clang/%.o) \
               $(CONFORM:%.c=build/clang/%.o)
TIDY        := $(SOURCES:%.c=build/clang/%.tidy)

check: build/clang/sluice $(CLANG_TESTS) $(TIDY) format-check layers-check options-check ## clang's warnings as errors, clang-format, clang-tidy, layers, option table
	@echo 'check: all well'

# Each major version of clang-format lays a few lines out in its own way: 14 (Debian 12) decides.
format-check: deps-check
	$(call say,format,$(words $(C_FILES)) files)
	$(Q)if clang-format --version | grep -q 'version 14\.'; then \
	  clang-format --dry-run --Werror $(C_FILES); \
	else echo '  format not checked: clang-format 14 decides'; fi

layers-check:
	@scripts/check-layers

options-check:
	@CC='$(CC)' scripts/option-table --check

build/clang/%.tidy: %.c build/clang/%.o .clang-tidy
	$(call say,tidy,$<)
	$(Q)clang-tidy --quiet $< -- $(C_ARGS) >$@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

format: ## rewrites the C files as clang-format wants them
	clang-format -i $(C_FILES)

# ---- make chaos
.PHONY: chaos
chaos: all deps-test ## random faults: TOPOLOGY=single|sentinel|cluster WAIT=1 SEED=7 SECONDS=60 FAST=1 (or FAULTS=100, ONLY=Redis)
	@FAST='$(FAST)' TOPOLOGY='$(TOPOLOGY)' WAIT='$(WAIT)' SEED='$(SEED)' SECONDS='$(SECONDS)' FAULTS='$(FAULTS)' ONLY='$(ONLY)' exec node tests/chaos/main.mjs

# ---- make abuse
.PHONY: abuse
abuse: all deps-test ## 200 users chat while one attacker after the other does its worst (ONLY=ping WINDOWS=5)
	@exec node tests/abuse/main.mjs

# ---- make bench
.PHONY: bench million soak stalls
bench: all build/bench/load build/bench/limit deps-test ## Sluice beside others in 45 minutes: RUNS=1 SECONDS=2 in five, ONLY=sluice,ws; CENTRIFUGO=PATH, TOPOLOGY=cluster
	@exec node tests/bench/$(if $(filter cluster,$(TOPOLOGY)),cluster.mjs,main.mjs)

million: all build/bench/load deps-test ## a million idle connections on this machine (CONNS=100000 for fewer), then a message to each
	@exec node tests/bench/million.mjs

soak: all deps-test ## clients come, talk and go for an hour; what nodes and Redis hold must stay level (MINUTES=60)
	@exec node tests/bench/soak.mjs

stalls: all deps-test ## how long a sender stands still in eleven faults (ONLY=killed RUNS=3)
	@exec node tests/bench/stalls.mjs

LOAD := $(wildcard tests/bench/load/*.c)
build/bench/load: $(LOAD) tests/bench/load/load.h Makefile build/config.mk
build/bench/limit: tests/bench/limit.c Makefile build/config.mk
build/bench/%:
	$(call say,$(CC),$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(LIB_FLAGS) $(RELEASE) $(HARDENED) $(STRICT) $(CFLAGS) -o $@ \
	  $(filter %.c,$^) $(LDFLAGS) $(HARDEN) -Wl,--as-needed $(LIBS)

# ---- make fuzz: each libFuzzer target for a while, from its corpus in tests/fuzz/corpus. `make
# test` runs the seeds and simple changes of them by replay.c, without clang. Both link from an
# archive, so that a target has only the parts that it calls. FAST=1 leaves AddressSanitizer out:
# it executes several times as much, with the corpus that the others found.
.PHONY: fuzz
COMMA        := ,
FUZZ         := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_DIR     := build/fuzz$(if $(FAST),-fast)
FUZZERS      := $(FUZZ:tests/fuzz/%.c=$(FUZZ_DIR)/%)
FUZZ_LLHTTP  := $(LLHTTP_OBJECTS:build/%=$(FUZZ_DIR)/%)
FUZZ_SAN     := $(if $(FAST),undefined,address$(COMMA)undefined)
fuzz: $(FUZZERS) ## runs the fuzzers of all parsers: SECONDS=60 each, T=json for one, FAST=1 without ASan; exit 1 at a finding
	@SECONDS='$(SECONDS)' FUZZERS=$(FUZZ_DIR) exec node tests/fuzz/run.mjs $(T)

$(FUZZ_DIR)/%: CC    := $(CLANG)
$(FUZZ_DIR)/%: FLAGS := $(if $(FAST),-O2,-O1) -g $(WARN) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) \
                       -fno-sanitize-recover=undefined
$(FUZZ_DIR)/%.o: %.c Makefile build/config.mk | deps-check
	$(compile)
$(FUZZ_DIR)/llhttp/%.o: /usr/share/llhttp/%.c Makefile build/config.mk | deps-check
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIB_FLAGS) $(FLAGS) -w -c -o $@ $<

define archive
$(call say,ar,$@)
$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)
endef
$(FUZZ_DIR)/sluice.a: $(filter-out %/main.o $(LLHTTP_OBJECTS),$(call objects,$(notdir $(FUZZ_DIR)))) \
    $(FUZZ_LLHTTP)
	$(archive)
build/asan/sluice.a: $(UNIT_SHARED)
	$(archive)
$(FUZZERS): $(FUZZ_DIR)/%: $(FUZZ_DIR)/tests/fuzz/%.o $(FUZZ_DIR)/sluice.a
	$(call say,link,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $^ $(LDFLAGS) $(LIBS) $(LLHTTP)
$(REPLAYS): build/asan/fuzz/%: build/asan/tests/fuzz/%.o build/asan/tests/fuzz/replay.o \
    build/asan/sluice.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) $(FLAGS) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LIBS) $(LLHTTP)

# ---- make install: below PREFIX, itself below DESTDIR if that is given. systemd looks for units in
# /usr/local/lib and /usr/lib; for another PREFIX say UNITDIR=/etc/systemd/system. A configuration
# that is there stays as it is.
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
MANDIR     := $(PREFIX)/share/man/man1
DOCDIR     := $(PREFIX)/share/doc/sluice
CONFIG     := $(DESTDIR)$(SYSCONFDIR)/sluice/sluice.conf
DOCUMENTS  := deploy/sluice.conf.example deploy/OPERATIONS.md deploy/SECURITY.md
.PHONY: install uninstall
install: all build/sluice.1 ## binary, man page, documents, unit and configuration: PREFIX=/usr/local DESTDIR=
	install -D -m 755 build/sluice '$(DESTDIR)$(PREFIX)/bin/sluice'
	install -D -m 644 build/sluice.1 '$(DESTDIR)$(MANDIR)/sluice.1'
	install -D -m 644 -t '$(DESTDIR)$(DOCDIR)' $(DOCUMENTS)
	install -D -m 644 -t '$(DESTDIR)$(DOCDIR)/docs' deploy/docs/*.md
	install -D -m 644 deploy/sluice.service '$(DESTDIR)$(UNITDIR)/sluice.service'
	sed -i -e 's,/usr/local/,$(PREFIX)/,' -e 's,/etc/sluice,$(SYSCONFDIR)/sluice,g' \
	  '$(DESTDIR)$(UNITDIR)/sluice.service'
	[ -e '$(CONFIG)' ] || install -D -m 600 deploy/sluice.conf.example '$(CONFIG)'

uninstall: ## removes these again, with the same variables, but for the configuration
	rm -rf '$(DESTDIR)$(DOCDIR)'
	rm -f '$(DESTDIR)$(PREFIX)/bin/sluice' '$(DESTDIR)$(MANDIR)/sluice.1' \
	  '$(DESTDIR)$(UNITDIR)/sluice.service'

# ---- make deb: a package of Debian in build/. It is made in a copy of the tree, since what makes it
# wants a folder debian/ at the top.
DEB := build/deb/sluice-$(VERSION)
.PHONY: deb
deb: deps-deb ## build/sluice_*.deb, and what lintian says of it
	rm -rf build/deb build/sluice_*.deb
	mkdir -p $(DEB)
	cp -a LICENSE Makefile README.md common deploy gateway scripts $(DEB)/
	mv $(DEB)/deploy/debian $(DEB)/debian
	cd $(DEB) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage --build=binary --no-sign
	mv build/deb/sluice_*.deb build/
	lintian --fail-on error,warning build/sluice_*.deb

# ---- The rest
deps: build/config.mk     ## installs what make needs; deps-run, deps-test, deps-check, deps-deb: the others
deps-run deps-test deps-check deps-deb: build/config.mk
	@CC='$(CC)' scripts/install-deps $(@:deps-%=%)

clean: ## removes all that was built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile

-include $(wildcard build/broken-*/gateway/*/*.d $(foreach v,$(VARIANTS), \
    $(patsubst %.c,build/$(v)/%.d,$(SOURCES) $(UNIT) $(UNIT_HELP) $(CONFORM) $(FUZZ) \
    tests/fuzz/replay.c)))
