package words

// Engine writes a server program and its version: "Redis 7.0.15".
func Engine(engine, version string) string {
	switch engine {
	case "redis":
		engine = "Redis"
	case "valkey":
		engine = "Valkey"
	case "memcached":
		engine = "Memcached"
	}
	if version == "" {
		return engine
	}
	return engine + " " + version
}
