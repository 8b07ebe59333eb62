package codec

// Looked is a Codec that counts the bytes which it is to look at, and the most that it was shown.
type Looked struct {
	Codec
	Bytes, Most int
}

func (l *Looked) find(data []byte, seen, bound int) (found, error) {
	l.Bytes += len(data) - seen
	l.Most = max(l.Most, len(data))
	return l.Codec.find(data, seen, bound)
}

// Held is how much memory a Scanner has for the beginning of a token.
func (s *Scanner) Held() int { return cap(s.held) }
