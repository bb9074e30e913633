package sigv4

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"
)

// authorization is the parsed Authorization header.
type authorization struct {
	accessKeyID, day, region, service string
	signedHeaders                     []string // lower-case, sorted, without duplicates
	signature                         string   // 64 hexadecimal digits, lower-case
}

// scope is the part of the credential that goes into the signature.
func (a authorization) scope() string {
	return a.day + "/" + a.region + "/" + a.service + "/" + terminator
}

// checkScope refuses a credential for another day, or for a service that is not offered here.
func (a authorization) checkScope(at time.Time, services []string) error {
	if day := at.Format(isoDay); a.day != day {
		return refuse(SignatureDoesNotMatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "+
			quote(a.day)+" != "+quote(day)+", from "+quote(at.Format(isoBasic))+".")
	}
	if !slices.Contains(services, a.service) {
		return refuse(SignatureDoesNotMatch, "Credential should be scoped to correct service: '"+strings.Join(services, "' or '")+"', not "+quote(a.service)+".")
	}
	return nil
}

func readAuthorization(h http.Header) (authorization, error) {
	values := h.Values("Authorization")
	switch {
	case len(values) == 0 || values[0] == "":
		return authorization{}, refuse(MissingAuthenticationToken, "The request is missing an authentication token: it has no Authorization header.")
	case len(values) > 1:
		return authorization{}, refuse(IncompleteSignature, "The header Authorization must not be given more than once.")
	}
	return parseAuthorization(values[0])
}

// parseAuthorization parses the header's value:
//
//	AWS4-HMAC-SHA256 Credential=key/20150830/us-east-1/elasticache/aws4_request, SignedHeaders=host;x-amz-date, Signature=...
func parseAuthorization(value string) (authorization, error) {
	name, rest, _ := strings.Cut(value, " ")
	if name != algorithm {
		return authorization{}, refuse(IncompleteSignature, "Unsupported AWS 'algorithm': "+quote(name)+". Sign with "+algorithm+".")
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		part = strings.Trim(part, blanks)
		name, value, ok := strings.Cut(part, "=")
		if _, twice := parts[name]; !ok || twice || !slices.Contains(authorizationParts, name) {
			return authorization{}, refuse(IncompleteSignature, "Authorization header is made of Credential, SignedHeaders and Signature, each once, with commas between them, got "+quote(part)+".")
		}
		parts[name] = value
	}
	var missing []string
	for _, name := range authorizationParts {
		if parts[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if missing != nil {
		return authorization{}, refuse(IncompleteSignature, strings.Join(missing, " "))
	}

	a := authorization{signedHeaders: strings.Split(parts["SignedHeaders"], ";"), signature: parts["Signature"]}
	if err := a.setCredential(parts["Credential"]); err != nil {
		return authorization{}, err
	}
	for i, name := range a.signedHeaders {
		if !isHeaderName(name) {
			return authorization{}, refuse(IncompleteSignature, "SignedHeaders must be names of headers in lower case with semicolons between them, got "+quote(name)+".")
		}
		if i > 0 && name <= a.signedHeaders[i-1] {
			return authorization{}, refuse(IncompleteSignature, "SignedHeaders must be sorted, none of them twice: "+quote(name)+" is not in its place.")
		}
	}
	if !isHex(a.signature, 2*sha256.Size) {
		return authorization{}, refuse(IncompleteSignature, "Signature must be 64 hexadecimal digits in lower case.")
	}
	return a, nil
}

var authorizationParts = []string{"Credential", "SignedHeaders", "Signature"}

func (a *authorization) setCredential(credential string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || slices.ContainsFunc(parts, func(part string) bool { return !isPlain(part) }) {
		return refuse(IncompleteSignature, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/"+terminator+", got "+quote(credential)+".")
	}
	a.accessKeyID, a.day, a.region, a.service = parts[0], parts[1], parts[2], parts[3]
	if parts[4] != terminator {
		return refuse(IncompleteSignature, "Credential should be scoped with a valid terminator: '"+terminator+"', not "+quote(parts[4])+".")
	}
	return nil
}

// isPlain reports whether the text is fit for a look-up: not empty, not too long, only visible characters.
func isPlain(text string) bool {
	return text != "" && len(text) <= 128 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isHeaderName reports whether the text is the name of a header in lower case.
func isHeaderName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func isHex(text string, length int) bool {
	return len(text) == length && !strings.ContainsFunc(text, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}
