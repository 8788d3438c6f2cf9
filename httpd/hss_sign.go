package httpd

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	hssAlgorithm  = "SDK-HMAC-SHA256"
	hssDate       = "X-Sdk-Date"
	hssBodyHash   = "X-Sdk-Content-Sha256"
	hssDateLayout = "20060102T150405Z"

	maxClockSkew     = 15 * time.Minute
	maxSignedBody    = 64 << 10 // bytes; these requests have no use for a body
	maxSignedHeaders = 64
	maxAccessKey     = 256 // bytes of its name
)

// authorization is a parsed Authorization header.
type authorization struct {
	access    string
	headers   string // names of the signed headers as they stand there, joined by semicolons
	signature string // 64 lower-case hex digits
}

// parseAuthorization reads `SDK-HMAC-SHA256 Access=<ak>, SignedHeaders=<h1;h2>, Signature=<64 hex>`.
func parseAuthorization(text string) (a authorization, err error) {
	rest, ok := strings.CutPrefix(text, hssAlgorithm+" ")
	if !ok {
		return a, errors.New("unsupported algorithm")
	}
	members := map[string]*string{"Access": &a.access, "SignedHeaders": &a.headers, "Signature": &a.signature}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		into := members[name]
		if into == nil || *into != "" || value == "" {
			return a, errors.New("authorization header is malformed")
		}
		*into = value
	}
	switch {
	case a.access == "" || a.headers == "" || a.signature == "":
		return a, errors.New("authorization header is incomplete")
	case len(a.access) > maxAccessKey || strings.Count(a.headers, ";") >= maxSignedHeaders:
		return a, errors.New("authorization header is too long")
	case len(a.signature) != hex.EncodedLen(sha256.Size) || strings.Trim(a.signature, "0123456789abcdef") != "":
		return a, errors.New("signature is not 64 hex digits")
	}
	names := map[string]bool{}
	for _, name := range a.names() {
		// Else each name would add its whole value to what is signed: megabytes for a head of 64 KiB.
		if name = strings.ToLower(name); names[name] {
			return a, errors.New("a header is signed twice")
		}
		names[name] = true
	}
	if !names[strings.ToLower(hssDate)] {
		return a, errors.New("x-sdk-date is not signed")
	}
	return a, nil
}

func (a authorization) names() []string { return strings.Split(a.headers, ";") }

// signer returns the access key with which r is signed. A wrong signature and an unknown key are not told apart,
// neither by the answer nor by the time it takes.
func (h hss) signer(r *request) (AccessKey, error) {
	a, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return AccessKey{}, refuseHSS(err.Error())
	}
	source := sourceKey(r.RemoteAddr)
	if wait := h.blocked(source, a); wait > 0 {
		return AccessKey{}, tooManyFailures{wait}
	}
	toSign, err := a.toSign(r, h.s.opts.Now())
	if err != nil {
		return AccessKey{}, refuseHSS(err.Error())
	}
	key, known := h.s.opts.Accounts.AccessKey(a.access)
	if !known {
		key.SK = "no secret is this one"
	}
	if right := hmac.Equal([]byte(signature(key.SK, toSign)), []byte(a.signature)); !right || !known {
		accessSum, signatureSum := a.sums()
		h.s.guesses.failed(source, accessSum)
		h.s.guesses.failed(source+" "+a.access, signatureSum)
		return AccessKey{}, refuseHSS("verify aksk signature fail")
	}
	return key, nil
}

// blocked tells for how long source may not try again. An address is slowed in trying one key after another, and
// in trying one secret after another for one key. So a client that goes on with an old secret, each of whose
// signatures is a new one, stands in nobody's way but its own.
func (h hss) blocked(source string, a authorization) time.Duration {
	accessSum, signatureSum := a.sums()
	return max(h.s.guesses.blocked(source, accessSum), h.s.guesses.blocked(source+" "+a.access, signatureSum))
}

func (a authorization) sums() (access, signature [sha256.Size]byte) {
	return sha256.Sum256([]byte("access key " + a.access)), sha256.Sum256([]byte(a.signature))
}

// signature is what the holder of the secret sk makes of a text. The secret is the key as it is.
func signature(sk, text string) string {
	mac := hmac.New(sha256.New, []byte(sk))
	mac.Write([]byte(text)) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// toSign is the text that the client must have signed. The error says why none could be right.
func (a authorization) toSign(r *request, now time.Time) (string, error) {
	date := r.Header.Get(hssDate)
	at, err := time.Parse(hssDateLayout, date)
	if err != nil {
		return "", errors.New("x-sdk-date is not of the form YYYYMMDDTHHMMSSZ")
	}
	if at.Before(now.Add(-maxClockSkew)) || at.After(now.Add(maxClockSkew)) {
		return "", errors.New("x-sdk-date is more than 15 minutes from the time of this server")
	}
	hash, err := bodyHash(r)
	if err != nil {
		return "", err
	}
	headers, err := a.canonicalHeaders(r.Request)
	if err != nil {
		return "", err
	}
	canonical := strings.Join([]string{r.Method, hssCanonicalPath(r.URL.Path), hssCanonicalQuery(r.query), headers, a.headers, hash}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	return strings.Join([]string{hssAlgorithm, date, hex.EncodeToString(sum[:])}, "\n"), nil
}

// bodyHash is the hash of the body. A client may send the hash, but not another one, and not none at all.
func bodyHash(r *request) (string, error) {
	if len(r.body) > maxSignedBody {
		return "", errors.New("body of a signed request is too large")
	}
	sum := sha256.Sum256(r.body)
	hash := hex.EncodeToString(sum[:])
	switch r.Header.Get(hssBodyHash) {
	case "", hash:
		return hash, nil
	}
	return "", errors.New("x-sdk-content-sha256 is not the hash of the body")
}

// canonicalHeaders lists the signed headers, one a line. One that stands twice could be read in two ways.
func (a authorization) canonicalHeaders(r *http.Request) (string, error) {
	var b strings.Builder
	for _, name := range a.names() {
		values := r.Header.Values(name)
		if strings.EqualFold(name, "Host") {
			values = []string{r.Host}
		}
		if len(values) > 1 {
			return "", errors.New("a signed header stands there twice")
		}
		b.WriteString(name + ":" + strings.TrimSpace(strings.Join(values, "")) + "\n")
	}
	return b.String(), nil
}

// hssCanonicalPath ends in a slash even though the path of the request does not.
func hssCanonicalPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = percentEncode(part)
	}
	return strings.TrimSuffix(strings.Join(parts, "/"), "/") + "/"
}

// hssCanonicalQuery sorts the parameters by name and value; one without a value keeps its equals sign.
func hssCanonicalQuery(query params) string {
	var pairs [][2]string
	for pair := range strings.SplitSeq(string(query), "&") {
		if pair != "" {
			name, value, _ := strings.Cut(pair, "=")
			pairs = append(pairs, [2]string{unescape(name), unescape(value)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	texts := make([]string, len(pairs))
	for i, p := range pairs {
		texts[i] = percentEncode(p[0]) + "=" + percentEncode(p[1])
	}
	return strings.Join(texts, "&")
}

// percentEncode escapes every byte but letters, digits and -_.~ with upper-case hex.
func percentEncode(s string) string {
	return strings.NewReplacer("+", "%20").Replace(url.QueryEscape(s))
}
