package catalog

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"rekindle/internal/secret"
)

// Parameters of argon2id: the second recommended option of RFC 9106 scaled as in OWASP's "Password Storage Cheat Sheet" (19 MiB,
// 2 passes), because the whole console lives in 96 MiB.
const (
	argonMemory  = 19 * 1024 // KiB
	argonPasses  = 2
	argonThreads = 1
	argonLength  = 32
)

// hashMemory is argonMemory, except in tests of other things.
var hashMemory uint32 = argonMemory

// argonTurn lets one password be hashed at a time, so that a storm of sign-ins costs time and not memory.
var argonTurn = make(chan struct{}, 1)

// hashPassword returns the password's hash in the form of the argon2 reference implementation.
func hashPassword(password secret.Text) string {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, argonPasses, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(argon(password, salt, argonPasses, hashMemory, argonThreads)))
}

func argon(password secret.Text, salt []byte, passes, memory uint32, threads uint8) []byte {
	argonTurn <- struct{}{}
	defer func() { <-argonTurn }()
	return argon2.IDKey([]byte(password.Reveal()), salt, passes, memory, threads, argonLength)
}

// verifyPassword compares in constant time. An empty or broken hash matches nothing, and takes just as long.
func verifyPassword(encoded string, password secret.Text) bool {
	var version int
	var memory, passes uint32
	var threads uint8
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		argon(password, make([]byte, 16), argonPasses, hashMemory, argonThreads)
		return false
	}
	_, errVersion := fmt.Sscanf(parts[2], "v=%d", &version)
	_, errCost := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads)
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	want, errHash := base64.RawStdEncoding.DecodeString(parts[5])
	if errVersion != nil || errCost != nil || errSalt != nil || errHash != nil || version != argon2.Version || len(want) != argonLength {
		return false
	}
	return subtle.ConstantTimeCompare(want, argon(password, salt, passes, memory, threads)) == 1
}
