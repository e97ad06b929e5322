# Every target does its own set-up: dependencies are installed and sources compiled when they are out of date.
PREFIX ?= /usr/cyrus
SOURCES := $(shell find master services lib test bench -name '*.ts' 2>/dev/null)
STAMP := node_modules/.package-lock.json

.PHONY: all build demo test lint format bench docs install clean

all: build

build: dist/.built

$(STAMP): package.json package-lock.json
	npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	node_modules/.bin/tap build >/dev/null
	@touch $@

dist/.built: $(STAMP) $(SOURCES) tsconfig.json
	node_modules/.bin/tsc -p .
	node dist/lib/os/link_programs.js dist/bin
	@touch $@

demo: build
	node dist/test/lab/demo.js $(if $(KEEP),--keep) $(DEMO_ARGS)

test: build
	node_modules/.bin/tap $(TAP_ARGS) $$(find dist/test -name '*.test.js' | sort)

lint: $(STAMP)
	node_modules/.bin/biome check .
	node_modules/.bin/tsc -p . --noEmit

format: $(STAMP)
	node_modules/.bin/biome check --write .

bench: build
	node dist/bench/run.js $(BENCH_ARGS)

docs: build
	node dist/test/docs/imapd_conf_page.js

install: build
	node dist/lib/os/link_programs.js --install "$(DESTDIR)$(PREFIX)"

clean:
	rm -rf dist .tap
