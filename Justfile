# Thin aliases; every recipe is one script that runs without just too.

default:
    @just --list

# Postgres and Redis for development, under .local/infra
infra-up:
    scripts/infra up
infra-stop:
    scripts/infra stop
infra-down:
    scripts/infra down
infra-logs:
    scripts/infra logs
infra-env:
    scripts/infra env

# Apply the migrations; the second applies nothing and fails when one is pending or changed
backend-migrate:
    scripts/dev migrate
backend-migrate-check:
    scripts/dev migrate --check

# One process with .env
api:
    scripts/dev api
worker:
    scripts/dev worker
enclave-runtime:
    scripts/enclave-runtime/start-local.sh
backend-enclave-runtime:
    scripts/enclave-runtime/start-local.sh

# Enclave, API and worker together; the end of one ends all
dev:
    scripts/dev all

# What is wrong with configuration, servers or enclave; a challenge to a running enclave
doctor:
    scripts/dev doctor
smoke *arguments:
    scripts/enclave-runtime/smoke.sh {{arguments}}

# The whole system with its story; all tests; format, lint and walls; figures
run *arguments:
    scripts/run {{arguments}}
test *arguments:
    scripts/test {{arguments}}
check *arguments:
    scripts/check {{arguments}}
bench *arguments:
    scripts/bench {{arguments}}
chaos *arguments:
    scripts/chaos {{arguments}}
fuzz *arguments:
    scripts/fuzz {{arguments}}

# Recorded evidence, made again bit for bit
make-fixtures *arguments:
    scripts/make-fixtures {{arguments}}

# The evaluation harness
backend-eval:
    scripts/eval --mode mocked
backend-eval-update:
    scripts/eval --mode mocked --update-goldens
backend-eval-live:
    scripts/eval --mode live
