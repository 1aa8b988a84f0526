# Two commands: `make run` and `make test`. Each does all its set-up by itself.

.PHONY: run test lint setup bench clean
SEPTET = target/debug/septet

run: setup
	cargo build --workspace
	$(SEPTET) up

test: setup
	scripts/setup test
	cargo build --workspace --tests
	scripts/with-services scripts/run-tests

lint: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

bench: setup
	cargo build --release --workspace
	cargo build --release --manifest-path bench/load/Cargo.toml
	python3 bench/compare.py all
	python3 bench/service.py --home .tools/bench-home

setup:
	@scripts/setup

clean:
	cargo clean
	rm -rf .tools
