package compat

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	// pageSize is the recorded size of a page.
	pageSize = 20
	// maxPageSize is how much per_page can ask for.
	maxPageSize = 1000
	// lastPage stands for page=last.
	lastPage = -1
	// maxPage keeps page times size far from overflowing.
	maxPage = 1 << 31
)

// paging is what a caller asked for.
type paging struct {
	number int // 1 and up, lastPage, or 0 for a number no page has
	size   int
	// asked: page or per_page were given and make sense.
	asked bool
}

// param returns the last value of a query parameter, as Django does.
func param(q url.Values, name string) string {
	if all := q[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// pagingOf reads page and per_page. A per_page that is no positive number counts as not given, as the framework
// does it; one beyond the cap means the cap.
func pagingOf(q url.Values) paging {
	p := paging{number: 1, size: pageSize}
	if n, ok := positive(param(q, "per_page"), maxPageSize); ok {
		p.size, p.asked = n, true
	}
	switch word := param(q, "page"); word {
	case "":
	case "last":
		p.number, p.asked = lastPage, true
	default:
		p.number, _ = positive(word, maxPage)
		p.asked = true
	}
	return p
}

// positive reads a number of at least 1; beyond most it is most.
func positive(word string, most int) (int, bool) {
	if word == "" || strings.Trim(word, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(word)
	if err != nil {
		n = most // all digits: too large
	}
	return min(n, most), n > 0
}

// resolve finds the page among total rows. It reports false when there is no such page; an empty list has one.
func (p paging) resolve(total int) (number int, ok bool) {
	pages := max(1, (total+p.size-1)/p.size)
	number = p.number
	if number == lastPage {
		number = pages
	}
	return number, number >= 1 && number <= pages
}

// offset is where the page begins.
func (p paging) offset() int { return (p.number - 1) * p.size }

// appendPageHead appends a page up to its results, with links as the framework makes them: parameters sorted,
// and no page parameter on the first page.
func (c *call) appendPageHead(total, number, size int) {
	c.out = appendInt(c.out, `{"count":`, total)
	c.out = append(c.out, `,"next":`...)
	c.appendLink(number+1, number*size < total)
	c.out = append(c.out, `,"previous":`...)
	c.appendLink(number-1, number > 1)
	c.out = append(c.out, `,"results":[`...)
}

func (c *call) appendLink(number int, exists bool) {
	if !exists {
		c.out = append(c.out, "null"...)
		return
	}
	q := c.r.URL.Query()
	q.Del("page")
	if number > 1 {
		q.Set("page", strconv.Itoa(number))
	}
	link := c.h.BaseURL(c.r) + c.r.URL.EscapedPath()
	if len(q) > 0 {
		link += "?" + q.Encode()
	}
	c.out = appendString(c.out, link)
}

// appendRows appends one object per row, and the bracket that ends them.
func appendRows[T any](b []byte, rows []T, one func([]byte, *T) []byte) []byte {
	for i := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &rows[i])
	}
	return append(b, ']')
}

// okPage ends a page of rows.
func okPage[T any](c *call, rows []T, one func([]byte, *T) []byte) error {
	c.out = append(appendRows(c.out, rows, one), '}')
	c.answer(http.StatusOK)
	return nil
}
