// Package words writes numbers for people, the same way in sentences, on pages and in answers of the API.
package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Number writes a number with separated thousands: 4,000,000.
func Number[T ~int | ~int32 | ~int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Plural writes a number and its noun: "1 node", "3 nodes".
func Plural[T ~int | ~int32 | ~int64](n T, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "sh") || strings.HasSuffix(noun, "x"):
		noun += "es"
	case strings.HasSuffix(noun, "ry"):
		noun = strings.TrimSuffix(noun, "y") + "ies"
	default:
		noun += "s"
	}
	return Number(n) + " " + noun
}

// Size writes bytes for people: GB with one digit, or MB, KB and bytes below that. As everywhere in Rekindle, 1 GB is 1000 MB and 1 KB is 1000 bytes.
func Size(bytes int64) string {
	const kb, mb, gb = 1e3, 1e6, 1e9
	b := float64(bytes)
	switch {
	case bytes < 0:
		return "unknown"
	case b >= 999.95*gb:
		return fmt.Sprintf("%s GB", Number(int64(math.Round(b/gb))))
	case b >= 999.5*mb:
		return fmt.Sprintf("%.1f GB", b/gb)
	case b >= 9.95*mb:
		return fmt.Sprintf("%.0f MB", b/mb)
	case b >= 999.5*kb:
		return fmt.Sprintf("%.1f MB", b/mb)
	case b >= kb:
		return fmt.Sprintf("%.0f KB", b/kb)
	}
	return fmt.Sprintf("%d B", bytes)
}
