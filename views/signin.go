package views

// SignIn is the sign-in page. Form: POST /sign-in with user, password, next.
type SignIn struct {
	User  string // as typed before
	Next  string // where to go afterwards
	Error string // a sentence, empty at first
	Theme string
	// Notice says why the person is here, for example because the session has ended; may be empty.
	Notice string
}

// ErrorInfo is a page that says what is wrong. Title and Text may be empty: then the status is put into words.
type ErrorInfo struct {
	Status    int
	Title     string
	Text      string
	RequestID string
	BackHref  string
	BackText  string
}

func (e ErrorInfo) title() string {
	switch {
	case e.Title != "":
		return e.Title
	case e.Status == 404:
		return "There is nothing here"
	case e.Status == 403:
		return "This is not allowed"
	case e.Status == 405:
		return "This address does not support that"
	case e.Status >= 500:
		return "Something went wrong in the console"
	}
	return "This did not work"
}

func (e ErrorInfo) text() string {
	switch {
	case e.Text != "":
		return e.Text
	case e.Status == 404:
		return "The address leads nowhere. What it named may have been deleted since, or was never there."
	case e.Status == 403:
		return "The request was refused: it did not come from a page of this console, or you may not do this. Go back, load the page again, and try once more."
	case e.Status >= 500:
		return "It is not your fault, and your clusters and snapshots are as they were. Try again; if it happens again, look for the request below in the console's log."
	}
	return "The console could not make sense of the request. Go back and try again."
}

func (e ErrorInfo) back() (href, text string) {
	href, text = e.BackHref, e.BackText
	if href == "" {
		href = "/"
	}
	if text == "" {
		text = "To the overview"
	}
	return href, text
}
