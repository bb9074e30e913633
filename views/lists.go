package views

import "github.com/a-h/templ"

// sortTarget is what the sort parameter becomes by a click on a column's head. Numbers and times start with the greatest, names with the first.
func sortTarget(column string, is, descending, greatestFirst bool) string {
	if is && !descending || !is && greatestFirst {
		return "-" + column
	}
	return column
}

// clearFilters is the list's address without its filters, in the same order.
func clearFilters(l List, filters []Filter) templ.SafeURL {
	pairs := make([]string, 0, 2*len(filters))
	for _, f := range filters {
		pairs = append(pairs, f.Name, "")
	}
	return l.With(pairs...)
}

func rangeText(l List) string {
	if l.Pages() == 1 {
		return "All " + Count(l.Total) + " shown"
	}
	first := (l.Page-1)*l.Size + 1
	return Count(first) + " to " + Count(min(l.Total, first+l.Size-1)) + " of " + Count(l.Total)
}

// pageParam leaves the first page's number out of the address.
func pageParam(n int) string {
	if n <= 1 {
		return ""
	}
	return itoa(n)
}

// pagesAround are the pages to link: the first, the last, and those around the current one; 0 is a gap.
func pagesAround(l List) []int {
	var pages []int
	last := l.Pages()
	for n := 1; n <= last; n++ {
		if n == 1 || n == last || n >= l.Page-1 && n <= l.Page+1 {
			pages = append(pages, n)
		} else if pages[len(pages)-1] != 0 {
			pages = append(pages, 0)
		}
	}
	return pages
}

// sortAria tells screen readers that the list is sorted by a column.
func sortAria(is, descending bool) templ.Attributes {
	switch {
	case is && descending:
		return templ.Attributes{"aria-sort": "descending"}
	case is:
		return templ.Attributes{"aria-sort": "ascending"}
	}
	return nil
}

// suggesting has the field within ask for completions while somebody types; the datalist with this ID offers them.
func suggesting(list string) templ.Attributes {
	return templ.Attributes{"hx-get": ClusterNamesPath, "hx-trigger": "input delay:200ms", "hx-include": "find input",
		"hx-target": "#" + list, "hx-swap": "innerHTML", "hx-push-url": "false"}
}

// completed are the attributes of a filter's field that is completed while somebody types.
func (f Filter) completed() templ.Attributes {
	if !f.Typed {
		return nil
	}
	return suggesting("filter-names")
}

// day is the value of a filter that is a day.
func (l List) day(f Filter) string {
	if chosen := l.Query.Get(f.Name); chosen != "" {
		return chosen
	}
	return f.Usual
}
