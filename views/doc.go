// Package views draws the console's pages. Each page is a templ component that takes a Shell (what is the same on every page) and one props struct
// with everything else, already fetched, decided and translated by the caller. Nothing in here reads a clock, a database or a request.
//
// Three rules hold everywhere:
//
//   - No inline style, script or event attribute: the content security policy forbids them.
//   - Every page works without JavaScript. Forms are plain POST forms, lists are GET forms.
//   - A page follows running work by requesting itself again while Shell.Poll is not zero: htmx fetches
//     Shell.Path and puts the answer's <main id="main"> in place of its own. The answer decides
//     whether it goes on, so the caller renders the whole page each time and sets Poll to 0 at the end.
//
// Regenerate the *_templ.go files with `make generate`, which is, in the checkout's root:
// go tool -modfile=tools/go.mod templ generate
package views
