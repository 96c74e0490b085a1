#!/usr/bin/env bash
# A walk through p2psync with three PCs: accounting, its payroll office, and a PC that is always on.
#
#     bash examples/three_pcs.sh
#
# Each "PC" is a home directory of its own on this machine; on real PCs leave out --home, and everything else is the
# same. It ends by itself, and nothing of it stays.
set -euo pipefail

p2psync=${P2PSYNC:-p2psync}
root=$(mktemp -d)
accounting() { $p2psync --home "$root/accounting.home" "$@"; }
payroll() { $p2psync --home "$root/payroll.home" "$@"; }
keeper() { $p2psync --home "$root/keeper.home" "$@"; }
end() {
    accounting stop >/dev/null || true
    payroll stop >/dev/null || true
    keeper stop >/dev/null || true
    rm -rf "$root"
}
trap end EXIT
step() { printf '\n== %s\n' "$*"; }

step "1. p2psync runs on each PC. Until something is shared, no port is open but the one of the command line."
accounting start --name "Accounting" --listen 127.0.0.1:0
payroll start --name "Payroll office" --listen 127.0.0.1:0
keeper start --name "Always on" --listen 127.0.0.1:0

step "2. Accounting makes a mandate and shares it."
accounting mandate create Cargo --folder "$root/accounting/Cargo.crsync" --role accounting
accounting share Cargo
printf 'TITLE=Cargo\r\nENDOFFILE\r\n' > "$root/accounting/Cargo.crsync/Cargo 2025.crp"

step "3. Payroll joins by a ticket that comes through a pipe, the PC that is always on by a file."
accounting invite Cargo --role payroll | payroll join - --folder "$root/payroll/Cargo.crsync"
accounting invite Cargo --role keeper --save "$root/keeper.p2pticket" >/dev/null
keeper join "$root/keeper.p2pticket" --folder "$root/keeper/Cargo.crsync"
accounting devices Cargo

step "4. On real PCs in one network they find each other. Here each is told where the others are."
port() { $p2psync --home "$1" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["device"]["port"])'; }
payroll peer add Cargo "127.0.0.1:$(port "$root/keeper.home")" >/dev/null
keeper peer add Cargo "127.0.0.1:$(port "$root/payroll.home")"

step "5. What is saved on one PC is on the others."
printf '01.01.2025\tsalaries\r\n' > "$root/payroll/Cargo.crsync/Salaries.txt"
payroll sync Cargo --timeout 30s
ls "$root/accounting/Cargo.crsync" "$root/keeper/Cargo.crsync"

step "6. Accounting goes home. What payroll saves meanwhile reaches it through the PC that is always on."
accounting stop
printf 'correction\r\n' > "$root/payroll/Cargo.crsync/Correction.txt"
payroll sync Cargo --timeout 30s
payroll stop
accounting start --name "Accounting" --listen 127.0.0.1:0
accounting peer add Cargo "127.0.0.1:$(port "$root/keeper.home")" >/dev/null
accounting sync Cargo --timeout 30s
cat "$root/accounting/Cargo.crsync/Correction.txt"

step "7. Both change the chart of accounts while they do not see each other: accounting's version stands."
accounting stop
keeper stop
printf 'TITLE=by accounting\r\nENDOFFILE\r\n' > "$root/accounting/Cargo.crsync/Cargo 2025.crp"
printf 'TITLE=by payroll\r\nENDOFFILE\r\n' > "$root/payroll/Cargo.crsync/Cargo 2025.crp"
accounting start --name "Accounting" --listen 127.0.0.1:0
payroll start --name "Payroll office" --listen 127.0.0.1:0
payroll peer add Cargo "127.0.0.1:$(port "$root/accounting.home")" >/dev/null
payroll sync Cargo --timeout 30s
accounting conflicts Cargo
cat "$root/payroll/Cargo.crsync/Cargo 2025.crp"

step "8. Nothing is lost: the other version is kept, and the log says who did what. Every signature is checked."
accounting versions Cargo "Cargo 2025.crp"
accounting log Cargo --verify

step "9. The payroll office changes hands: its PC gets nothing more."
accounting devices Cargo --revoke "Payroll office"
