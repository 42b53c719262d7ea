package console

import (
	"net/url"
	"strconv"
	"strings"
)

// pageRows is how many rows a page of a list has.
const pageRows = 50

// list is where a page is in its list.
type list struct {
	Total          int
	First, Last    int // counted from 1
	Earlier, Later string
}

// matching returns the elements whose text has all words of the query in it, whatever
// the case.
func matching[T any](all []T, query string, text func(T) string) []T {
	words := strings.Fields(strings.ToLower(query))
	var out []T
	for _, one := range all {
		if hasAll(strings.ToLower(text(one)), words) {
			out = append(out, one)
		}
	}
	return out
}

func hasAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// paged returns the page of all that the URL's "page" says, counted from 1.
func paged[T any](u *url.URL, all []T) ([]T, list) {
	number, err := strconv.Atoi(u.Query().Get("page"))
	last := max(1, (len(all)+pageRows-1)/pageRows)
	if err != nil || number < 1 {
		number = 1
	}
	number = min(number, last)
	from, to := (number-1)*pageRows, min(number*pageRows, len(all))
	l := list{Total: len(all), First: min(from+1, to), Last: to}
	if number > 1 {
		l.Earlier = pageURL(u, number-1)
	}
	if number < last {
		l.Later = pageURL(u, number+1)
	}
	return all[from:to], l
}

func pageURL(u *url.URL, number int) string {
	q := u.Query()
	q.Del(paramDone)
	q.Set("page", strconv.Itoa(number))
	return u.Path + "?" + q.Encode()
}
