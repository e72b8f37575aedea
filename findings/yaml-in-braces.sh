#!/bin/bash
# Three readers of YAML make three things of one environment in braces, and PyYAML 6.0.3 disagrees with itself: which of
# two lines it refuses depends on whether it reads with its own code or with libyaml.
#
# Compose files have short sections in braces: environment: {DEBUG: 1, REGION:}. REGION: stands for a variable that is
# handed on from the shell. PyYAML's SafeLoader reads REGION, without a value. ruamel.yaml 0.19.1 reads a variable
# whose name is "REGION:", and says nothing. (docker compose 2.26.1 does the same, in an engine that is not needed
# here.) PyYAML's CSafeLoader refuses the line. With an address that has a ?, as a database's address has, it is the
# other way round: SafeLoader refuses it, CSafeLoader and ruamel.yaml take it. So yamllint 1.38.0, which reads with
# PyYAML's own code, and check-yaml of pre-commit-hooks 6.0.0, which reads with ruamel.yaml, give opposite verdicts on
# one file. With a space before the brace, and quotes around the address, all agree.
#
# Seen on 2026-11-30 with Python 3.11:
#   empty.yaml, SafeLoader: ['DEBUG', 'REGION']
#   empty.yaml, CSafeLoader: ScannerError
#   empty.yaml, ruamel.yaml: ['DEBUG', 'REGION:']
#   address.yaml, SafeLoader: ParserError
#   address.yaml, CSafeLoader: ['DATABASE_URL']
#   address.yaml, ruamel.yaml: ['DATABASE_URL']
#   careful.yaml, SafeLoader: ['DATABASE_URL', 'REGION']
#   careful.yaml, CSafeLoader: ['DATABASE_URL', 'REGION']
#   careful.yaml, ruamel.yaml: ['DATABASE_URL', 'REGION']
#   empty.yaml: yamllint 0, check-yaml 0
#   address.yaml: yamllint 1, check-yaml 0
#   careful.yaml: yamllint 0, check-yaml 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet PyYAML==6.0.3 ruamel.yaml==0.19.1 yamllint==1.38.0 pre-commit-hooks==6.0.0
cd "$folder"
echo 'environment: {DEBUG: 1, REGION:}' > empty.yaml
echo 'environment: {DATABASE_URL: postgresql://db/app?sslmode=require}' > address.yaml
echo 'environment: {DATABASE_URL: "postgresql://db/app?sslmode=require", REGION: }' > careful.yaml
cat > read.py <<'PYTHON'
import sys

import ruamel.yaml
import yaml

readers = {
    "SafeLoader": lambda text: yaml.load(text, yaml.SafeLoader),
    "CSafeLoader": lambda text: yaml.load(text, yaml.CSafeLoader),
    "ruamel.yaml": ruamel.yaml.YAML().load,
}
for name in sys.argv[1:]:
    text = open(name).read()
    for reader, load in readers.items():
        try:
            said = list(load(text)["environment"])
        except (yaml.YAMLError, ruamel.yaml.error.YAMLError) as error:
            said = type(error).__name__
        print(f"{name}, {reader}: {said}")
PYTHON
{
    venv/bin/python read.py empty.yaml address.yaml careful.yaml
    for file in empty.yaml address.yaml careful.yaml; do
        lint=0 check=0
        venv/bin/yamllint --config-data '{rules: {}}' "$file" > said || lint=$?
        venv/bin/check-yaml "$file" > said || check=$?
        echo "$file: yamllint $lint, check-yaml $check"
    done
} > seen
diff seen - <<'SEEN'
empty.yaml, SafeLoader: ['DEBUG', 'REGION']
empty.yaml, CSafeLoader: ScannerError
empty.yaml, ruamel.yaml: ['DEBUG', 'REGION:']
address.yaml, SafeLoader: ParserError
address.yaml, CSafeLoader: ['DATABASE_URL']
address.yaml, ruamel.yaml: ['DATABASE_URL']
careful.yaml, SafeLoader: ['DATABASE_URL', 'REGION']
careful.yaml, CSafeLoader: ['DATABASE_URL', 'REGION']
careful.yaml, ruamel.yaml: ['DATABASE_URL', 'REGION']
empty.yaml: yamllint 0, check-yaml 0
address.yaml: yamllint 1, check-yaml 0
careful.yaml: yamllint 0, check-yaml 0
SEEN
echo "as seen on 2026-11-30"
