#!/bin/bash
# Makes the secrets of an installation, each fresh, in docker/secrets; one that is there stays.
# To change one, remove its file first, and change it where it is used (docs/operations.md).
set -euo pipefail

folder="$(cd "$(dirname "$0")" && pwd)/secrets"
mkdir -p "$folder"
chmod 0700 "$folder"

make() {
  local file="$folder/$1"
  shift
  if [[ ! -e "$file" ]]; then
    # Readable for the service's own user, who is not ours; the folder keeps everybody else out.
    "$@" | tr -d '\n' > "$file"
    chmod 0444 "$file"
    echo "made ${file##*/}"
  fi
}

# Hexadecimal needs no quoting in an address. Fernet: 32 bytes in URL-safe base64; JWT: 64 bytes.
for name in postgres_password onecard_db_password airflow_db_password redis_password \
  airflow_secret_key airflow_admin_password airflow_viewer_password \
  mariadb_root_password mariadb_password; do
  make "$name" openssl rand -hex 32
done
make airflow_jwt_secret openssl rand -hex 64
make airflow_fernet_key sh -c "openssl rand -base64 32 | tr '+/' '-_'"
