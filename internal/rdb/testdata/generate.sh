#!/usr/bin/env bash
# generate.sh NAME FIELD_TTLS(0|1) SERVER...: writes NAME.rdb beside this script, an RDB with every kind of object that
# the server knows. COMP=no turns compression off, CLUSTER=yes makes a cluster-mode node with a few keys.
# The committed files came from Debian's packages, e.g.: generate.sh valkey-9.1 1 DIR/forky-valkey-server/run valkey-server
set -euo pipefail
name=$1 fields=$2; shift 2
here=$(cd "$(dirname "$0")" && pwd); dir=$(mktemp -d); port=$((20000 + RANDOM % 5000))
"$@" --port "$port" --dir "$dir" --save "" --bind 127.0.0.1 --rdbcompression "${COMP:-yes}" \
  --cluster-enabled "${CLUSTER:-no}" > "$dir/log" 2>&1 &
pid=$!
trap 'kill $pid; wait $pid 2>/dev/null || true; rm -r "$dir"' EXIT
c() { redis-cli -p "$port" "$@" > /dev/null; }
for _ in $(seq 100); do if redis-cli -p "$port" ping > /dev/null 2>&1; then break; fi; sleep 0.1; done
if [[ ${CLUSTER:-no} == yes ]]; then
  c cluster addslots $(seq 0 16383)
  until redis-cli -p "$port" cluster info | grep -q state:ok; do sleep 0.1; done
  c set a 1; c set b 2; c set c 3; c expireat c 4102444800
else
  c set text hello; c set int8 5; c set int16 3000; c set int32 -70000; c set int64 123456789012345
  c set lzf "$(printf 'abcdefgh%.0s' $(seq 40))"; c set "" empty-name; c set ttl x px 99999999999
  c rpush list a b c 1 2 3; c rpush biglist $(seq 2000 2200)
  c rpush plain "$(head -c 9000 /dev/zero | tr '\0' x)"
  c sadd intset 1 2 3; c sadd set a b c; c sadd bigset $(seq -f 'm%g' 300)
  c zadd zset 1 a 2.5 b inf c; c zadd bigzset $(for i in $(seq 200); do echo "$i.5 m$i"; done)
  c hset hash f v g w; c hset bighash $(for i in $(seq 600); do echo "f$i v$i"; done)
  c xadd stream 1-1 a b; c xadd stream 2-1 a b; c xadd stream 3-1 a c; c xdel stream 2-1
  c xgroup create stream g 0; c xreadgroup group g me count 1 streams stream '>'; c xgroup create stream g2 0
  c -n 3 set other 1; c -n 3 expireat other 4102444800
  c function load $'#!lua name=lib\nredis.register_function("f", function() return 1 end)'
  if [[ $fields == 1 ]]; then
    c hset hfe a 1 b 2; c hpexpireat hfe 4102444800000 fields 1 a
    c hset bighfe $(for i in $(seq 600); do echo "f$i v$i"; done); c hpexpireat bighfe 4102444800000 fields 1 f5
  fi
fi
c save
cp "$dir/dump.rdb" "$here/$name.rdb"
