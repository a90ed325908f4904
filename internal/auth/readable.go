package auth

// ReadsHash reports whether passwords can be checked against a hash that was made elsewhere. It runs nothing.
func ReadsHash(text string) bool {
	_, err := parseHash(text)
	return err == nil
}
