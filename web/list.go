package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekindle/models"
	"rekindle/views"
)

// listing says what the address of a list may contain.
type listing struct {
	filters []string          // besides q
	sorts   map[string]string // the page's name of an order to that of package models; "" when there is none
	order   string            // the default: "name", or "-created" for the greatest first
	days    bool              // rows have a time, and the address may say from which day to which they are shown
}

// read reads filters, order and page from the address. Unknown values are left out.
func (l listing) read(r *http.Request) (views.List, models.List) {
	asked := r.URL.Query()
	shown := views.List{Path: r.URL.Path, Query: url.Values{}, Sort: l.order, Page: 1, Size: 50}
	rows := models.List{Text: asked.Get("q"), Equal: map[string]string{}}
	for _, name := range append([]string{"q"}, l.filters...) {
		if v := strings.TrimSpace(asked.Get(name)); v != "" {
			shown.Query.Set(name, v)
			if name != "q" {
				rows.Equal[name] = v
			}
		}
	}
	if l.days {
		readDays(asked, &shown, &rows)
	}
	if name := strings.TrimPrefix(asked.Get("sort"), "-"); name != "" {
		if _, known := l.sorts[name]; known {
			shown.Sort = asked.Get("sort")
			shown.Query.Set("sort", shown.Sort)
		}
	}
	name, descending := strings.CutPrefix(shown.Sort, "-")
	rows.Sort, rows.Desc = l.sorts[name], descending
	if n, err := strconv.Atoi(asked.Get("size")); err == nil && slices.Contains([]int{25, 50, 100}, n) {
		shown.Size = n
		shown.Query.Set("size", strconv.Itoa(n))
	}
	if n, err := strconv.Atoi(asked.Get("page")); err == nil && n > 1 && n < 1_000_000 {
		shown.Page = n
		shown.Query.Set("page", strconv.Itoa(n))
	}
	rows.Page, rows.Size = shown.Page, shown.Size
	return shown, rows
}

// readDays reads from which day to which rows are shown, both included, in UTC. What is not a day is left out.
func readDays(asked url.Values, shown *views.List, rows *models.List) {
	for name, into := range map[string]*time.Time{"from": &rows.From, "to": &rows.To} {
		day, err := time.Parse(time.DateOnly, strings.TrimSpace(asked.Get(name)))
		if err != nil {
			continue
		}
		shown.Query.Set(name, day.Format(time.DateOnly))
		if *into = day; name == "to" {
			*into = day.AddDate(0, 0, 1)
		}
	}
}

// fetch reads the page of rows. A page after the last one, for example after deletions, becomes the last.
func fetch[T any](shown *views.List, rows models.List, query func(models.List) (models.Rows[T], error)) ([]T, error) {
	found, err := query(rows)
	if err != nil {
		return nil, err
	}
	shown.Total = found.Total
	if last := shown.Pages(); shown.Page > last {
		shown.Page, rows.Page = last, last
		shown.Query.Set("page", strconv.Itoa(last))
		if found, err = query(rows); err != nil {
			return nil, err
		}
	}
	return found.Rows, nil
}
