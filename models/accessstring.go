package models

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// This file reads access strings. They say what a user may do, with the rules of ACL SETUSER that ElastiCache accepts, too.

var (
	accessFlags = []string{"on", "off", "allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands", "clearselectors"}
	// Keys and channels are patterns. A command may be followed by one subcommand or first argument.
	accessPattern = regexp.MustCompile(`^(~.+|%([Rr]|[Ww]|[Rr][Ww]|[Ww][Rr])~.+|&.+|[+-]@[A-Za-z]+|[+-][A-Za-z0-9._-]+(\|[A-Za-z0-9._-]+)?)$`)
)

// CheckAccessString returns a sentence that says what is wrong with an access string, or "". Only an engine can find the rest, such as
// unknown commands.
func CheckAccessString(text string) string {
	if len(text) > maxAccessString {
		return fmt.Sprintf("An access string has at most %d characters.", maxAccessString)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "An access string may contain only printable ASCII characters."
	}
	tokens, whole := accessTokens(text)
	if !whole {
		return "A selector in the access string has no closing parenthesis, or one too many."
	}
	if len(tokens) == 0 {
		return "An access string must not be empty. One that allows nothing is \"off\"."
	}
	for _, token := range tokens {
		if problem := checkAccessToken(token, true); problem != "" {
			return problem
		}
	}
	return ""
}

// accessTokens returns the words of an access string and whether its parentheses match. A selector with its parentheses is one word.
func accessTokens(text string) (tokens []string, whole bool) {
	open := false
	for _, word := range strings.Fields(text) {
		if open {
			tokens[len(tokens)-1] += " " + word
		} else {
			tokens = append(tokens, word)
			open = word[0] == '('
		}
		if open && strings.HasSuffix(word, ")") {
			open = false
		}
	}
	return tokens, !open
}

// checkAccessToken returns a sentence that says what is wrong with one word of an access string, or "".
func checkAccessToken(token string, selectors bool) string {
	word := strings.ToLower(token)
	switch {
	case strings.ContainsAny(token[:1], "><#!") || slices.Contains([]string{"nopass", "resetpass", "reset"}, word):
		return fmt.Sprintf("The access string must not say how the user signs in (%.40q): passwords are given separately.", redacted(token))
	case word == "sanitize-payload" || word == "skip-sanitize-payload":
		return fmt.Sprintf("%s cannot be in an access string.", word)
	case token[0] == '(' && selectors:
		inner, closed := strings.CutSuffix(token[1:], ")")
		if !closed {
			return "A selector in the access string has no closing parenthesis."
		}
		for _, part := range strings.Fields(inner) {
			if problem := checkAccessToken(part, false); problem != "" {
				return problem
			}
		}
		return ""
	case !selectors && slices.Contains([]string{"on", "off", "clearselectors"}, word):
		return fmt.Sprintf("%s cannot be in a selector.", word)
	case slices.Contains(accessFlags, word) || accessPattern.MatchString(token):
		return ""
	}
	return fmt.Sprintf("%.60q is not valid in an access string. An access string has on or off, keys (~app:*), channels (&news), commands (+get, -flushall), categories (+@read) and selectors in parentheses.", token)
}

// redacted hides what may be a password.
func redacted(token string) string {
	if strings.ContainsAny(token[:1], "><#!") {
		return token[:1] + "..."
	}
	return token
}
