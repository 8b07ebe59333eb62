//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"time"
)

// Hello is what a server's body of size bytes is made of, over and over.
const hello = "Hello, World!"

// Some proxies write the names of header fields in lower case.
var dateField = regexp.MustCompile(`(?i)\r\ndate: `)

func httpRequest(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
}

// learnHTTP sends one request, checks the body, and expects the same answer from then on, except for its date. In mode
// json, which requests /json, any JSON body of the right size is accepted.
func learnHTTP(c *config) (exchange, error) {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(seconds(c.patience)))
	path := c.path
	if c.mode == "json" {
		path = "/json"
	}
	if _, err := io.WriteString(conn, httpRequest(path)); err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	answer, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	want := bytes.Repeat([]byte(hello), c.size/len(hello)+1)[:c.size]
	if c.mode == "json" && json.Valid(body) && len(body) == c.size {
		want = body
	}
	if answer.StatusCode != http.StatusOK || answer.Close || !bytes.Equal(body, want) {
		return nil, fmt.Errorf("the server answers %s, with keep-alive %v and a body of %d bytes %.20q, want 200, "+
			"true and %d bytes %.20q",
			answer.Status, !answer.Close, len(body), body, len(want), want)
	}
	s := script{request: []byte(httpRequest(path)), reply: raw.Bytes()}
	if at := dateField.FindIndex(s.reply); at != nil {
		s.freeFrom = at[1]
		s.freeTo = s.freeFrom + bytes.IndexByte(s.reply[s.freeFrom:], '\r')
	}
	if !bytes.HasSuffix(s.reply, want) {
		return nil, errors.New("the body is in pieces, which may differ from answer to answer")
	}
	return newScripts([]script{s}, c.depth), nil
}
