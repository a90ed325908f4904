package realtime

// Redeem takes a ticket in place of the feed, for requests that go beside it: it returns the access token behind the
// ticket, once, and the API token of the backend on whose word it was given, if it was one's. Neither is checked here.
func (f *Feed) Redeem(text string) (token, via string, ok bool) {
	if !looksLikeTicket(text) {
		return "", "", false
	}
	one, ok := f.tickets.redeem(text)
	return one.token, one.via, ok
}
