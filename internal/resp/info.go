package resp

import (
	"strconv"
	"strings"
)

// Info is the answer to INFO: field name to value, sections merged.
type Info map[string]string

// ParseInfo parses the text of INFO. Lines that are not "name:value" are skipped.
func ParseInfo(text string) Info {
	info := Info{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(name, "#") {
			info[name] = value
		}
	}
	return info
}

// Int returns a field as a number; 0 when it is absent or not a number.
func (i Info) Int(key string) int64 {
	n, _ := strconv.ParseInt(i[key], 10, 64)
	return n
}

// Keys returns the number of keys in all databases (section keyspace).
func (i Info) Keys() int64 { return i.keyspace("keys") }

// Expires returns the number of keys that have an expiry in all databases (section keyspace).
func (i Info) Expires() int64 { return i.keyspace("expires") }

// Databases returns the numbers of the databases that hold keys, with how many (section keyspace).
func (i Info) Databases() map[int]int64 { return i.databases("keys") }

// Lasting returns how many keys of each database have no expiry (section keyspace).
func (i Info) Lasting() map[int]int64 {
	lasting := i.databases("keys")
	for db, n := range i.databases("expires") {
		lasting[db] -= n
	}
	return lasting
}

// keyspace sums one figure over all databases.
func (i Info) keyspace(figure string) int64 {
	var sum int64
	for _, n := range i.databases(figure) {
		sum += n
	}
	return sum
}

// databases reads one figure from the lines "db0:keys=3,expires=1,avg_ttl=0".
func (i Info) databases(figure string) map[int]int64 {
	all := map[int]int64{}
	for name, value := range i {
		text, ok := strings.CutPrefix(name, "db")
		number, err := strconv.Atoi(text)
		if !ok || err != nil || number < 0 {
			continue
		}
		for field := range strings.SplitSeq(value, ",") {
			if text, ok := strings.CutPrefix(field, figure+"="); ok {
				n, _ := strconv.ParseInt(text, 10, 64)
				all[number] += n
			}
		}
	}
	return all
}

// Engine returns the server's engine, "redis" or "valkey", and its own version (section server). Valkey also
// reports the Redis version that it is compatible with; that one is not returned.
func (i Info) Engine() (name, version string) {
	if v := i["valkey_version"]; v != "" || i["server_name"] == "valkey" {
		return "valkey", v
	}
	return "redis", i["redis_version"]
}
