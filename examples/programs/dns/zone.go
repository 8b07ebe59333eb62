package main

import (
	"strings"

	"github.com/miekg/dns"
)

const example = `
$ORIGIN example.org.
@    3600 IN SOA ns hostmaster 1 7200 600 86400 300
www  60   IN A   192.0.2.1
www  60   IN A   192.0.2.2
text 60   IN TXT "hello from Ringo"
`

// zone maps each question to its records. A name that is in the zone has an entry of type ANY.
type zone map[dns.Question][]dns.RR

func parse(text string) (zone, error) {
	z := zone{}
	p := dns.NewZoneParser(strings.NewReader(text), "", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		h := rr.Header()
		for _, q := range []uint16{h.Rrtype, dns.TypeANY} {
			q := dns.Question{Name: dns.CanonicalName(h.Name), Qtype: q, Qclass: h.Class}
			z[q] = append(z[q], rr)
		}
	}
	return z, p.Err()
}

// answer returns the answer to a question, and how many bytes a datagram with it may have; nil if question is not one.
func (z zone) answer(question []byte) (m *dns.Msg, size int) {
	var q dns.Msg
	if q.Unpack(question) != nil || q.Response || len(q.Question) != 1 {
		return nil, 0
	}
	return z.reply(&q)
}

func (z zone) reply(q *dns.Msg) (m *dns.Msg, size int) {
	m, size = new(dns.Msg), dns.MinMsgSize
	m.SetReply(q)
	m.Authoritative = true
	if o := q.IsEdns0(); o != nil {
		size = max(size, int(o.UDPSize()))
		m.SetEdns0(1232, false)
	}
	about := q.Question[0]
	about.Name = dns.CanonicalName(about.Name)
	if m.Answer = z[about]; m.Answer == nil {
		about.Qtype = dns.TypeANY
		if z[about] == nil {
			m.Rcode = dns.RcodeNameError
		}
	}
	return m, size
}
