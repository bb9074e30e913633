package elasticache

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"rekindle/models"
)

// Answers come in pages. A marker names the last thing on a page, so that the next page continues after it whatever was added or removed since.

const (
	minRecords = 20
	maxRecords = 100
)

// limit reads MaxRecords; otherwise is the default.
func (c *call) limit(otherwise int) int {
	n, given := c.number("MaxRecords")
	if !given {
		return otherwise
	}
	if n < minRecords || n > maxRecords {
		c.mistake(models.CodeInvalid, "MaxRecords must be between %d and %d, not %d.", minRecords, maxRecords, n)
	}
	return n
}

// after reads Marker: what the previous page ended with.
func (c *call) after() string {
	text := c.text("Marker")
	if text == "" {
		return ""
	}
	last, err := base64.RawURLEncoding.DecodeString(text)
	name, ours := strings.CutPrefix(string(last), markerPrefix)
	if err != nil || !ours || name == "" {
		c.mistake(models.CodeInvalid, "The Marker is not one that this API has returned.")
	}
	return name
}

const markerPrefix = "after "

func marker(last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(markerPrefix + last))
}

// page returns one page of all things, which it sorts by their keys.
func page[T any](c *call, all []T, key func(T) string) (shown []T, next string, err error) {
	limit, after := c.limit(maxRecords), c.after()
	if err := c.wrong(); err != nil {
		return nil, "", err
	}
	slices.SortStableFunc(all, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	all = slices.DeleteFunc(all, func(one T) bool { return after != "" && key(one) <= after })
	if len(all) > limit {
		return all[:limit], marker(key(all[limit-1])), nil
	}
	return all, "", nil
}

// place reads Marker in a list that is read by places: the one behind the last of the previous page.
func (c *call) place() int {
	after := c.after()
	if after == "" {
		return 0
	}
	last, err := strconv.Atoi(after)
	if err != nil || last < 0 {
		c.mistake(models.CodeInvalid, "The Marker is not one that this API has returned.")
	}
	return last + 1
}
