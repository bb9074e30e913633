package web

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"rekindle/models"
)

// readForm returns the form that was posted, without the query of the address.
func readForm(r *http.Request) (url.Values, error) {
	var tooLarge *http.MaxBytesError
	if err := r.ParseForm(); errors.As(err, &tooLarge) {
		return nil, problem{status: http.StatusRequestEntityTooLarge, title: "This is too much at once",
			text: "The form is larger than the console accepts. Choose fewer things at a time."}
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, problem{status: http.StatusRequestTimeout, title: "This took too long to arrive",
			text: "The form did not arrive in time, because the connection is slow or the console is very busy. Nothing was changed. Try again."}
	} else if err != nil {
		return nil, problem{status: http.StatusBadRequest}
	}
	return r.PostForm, nil
}

// mistakes is what is wrong with a form: one sentence per field. "" has what belongs to no field.
type mistakes map[string]string

func (m mistakes) add(field, sentence string) {
	if _, said := m[field]; !said {
		m[field] = sentence
	}
}

// text is all that is wrong, for a page where it stands at no field; "": nothing is.
func (m mistakes) text() string {
	var all []string
	for _, field := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[field])
	}
	return strings.Join(all, " ")
}

// refusal sorts an error of package models: a refusal goes to its fields, or to the top if the form has no such field. Any other error is returned.
func (m mistakes) refusal(err error, fields []string) error {
	faults, refused := models.AsFaults(err)
	if !refused {
		return err
	}
	for _, fault := range faults {
		field := fault.Field
		if !slices.Contains(fields, field) {
			field = ""
		}
		if earlier := m[field]; field == "" && earlier != "" && !strings.Contains(earlier, fault.Message) {
			m[field] = earlier + " " + fault.Message
			continue
		}
		m.add(field, fault.Message)
	}
	return nil
}

// wholeNumber reads a number from a form. If it is not a number, that is a mistake at its field, and the result is 0. The range is only named here;
// package models enforces it.
func wholeNumber(form url.Values, field, what, limits string, wrong mistakes) int {
	text := strings.TrimSpace(form.Get(field))
	n, err := strconv.Atoi(text)
	switch {
	case err == nil:
		return n
	case text == "":
		wrong.add(field, fmt.Sprintf("Enter the %s, %s.", what, limits))
	default:
		wrong.add(field, fmt.Sprintf("The %s must be a whole number, %s, not %q.", what, limits, cut(text, 40)))
	}
	return 0
}

// firstValues are a form's fields as they were sent, to be shown again.
func firstValues(form url.Values, names ...string) map[string]string {
	values := make(map[string]string, len(names))
	for _, name := range names {
		values[name] = form.Get(name)
	}
	return values
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
