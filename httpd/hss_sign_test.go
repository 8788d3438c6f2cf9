package httpd

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	hssProject = "0123456789abcdef0123456789abcdef"
	hssPath    = "/v5/" + hssProject + "/container/image/events"

	// One request as the vendor's SDK sent it, signed with the secret SKTESTEXAMPLESECRET.
	sdkQuery     = "event_type=a%2Cb&limit=5&offset=0&resource_name=k8s%20infer%2F%C3%A4%2Bb%26c%3Dd~%2A&start_time=0&user_name"
	sdkAgent     = "huaweicloud-usdk-go/3.0; os/Debian_GNU/Linux#12_(bookworm)#amd64 go/go1.26.8; app/92cc5234-7e36-4660-baa8-2df72fc14799"
	sdkDate      = "20261121T021351Z"
	sdkSignature = "10aea9b3ac4d65efc39d4d258bf66c39657f9b1d67db404270ba5c39c659d0af"
	sdkHeaders   = "user-agent;x-project-id;x-sdk-date"
	emptyHash    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func sdkAuthorization(access, headers, signature string) string {
	return "SDK-HMAC-SHA256 Access=" + access + ", SignedHeaders=" + headers + ", Signature=" + signature
}

// sdkRequest is that request, from an address of its own.
func sdkRequest(source string) *http.Request {
	r := httptest.NewRequest("GET", hssPath+"?"+sdkQuery, nil)
	r.Host, r.RemoteAddr = "127.0.0.1:41509", source+":1234"
	r.Header.Set("User-Agent", sdkAgent)
	r.Header.Set("X-Project-Id", hssProject)
	r.Header.Set("X-Sdk-Date", sdkDate)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", sdkAuthorization("AKTESTEXAMPLE", sdkHeaders, sdkSignature))
	return r
}

// hssReply is an answer read as an error.
type hssReply struct {
	status int
	body   string
	hssError
}

func askHSS(t *testing.T, b *box, r *http.Request) hssReply {
	t.Helper()
	w := httptest.NewRecorder()
	b.server.Handler().ServeHTTP(w, r)
	got := hssReply{status: w.Code, body: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &got.hssError); err != nil {
		t.Fatalf("answer %d is not JSON: %v\n%s", w.Code, err, w.Body)
	}
	return got
}

func atSDKDate(after time.Duration) func(*Options) {
	return func(o *Options) {
		o.Now = func() time.Time { return time.Date(2026, 11, 21, 2, 13, 51, 0, time.UTC).Add(after) }
	}
}

func TestSignatureOfTheSDK(t *testing.T) {
	b := newBox(t, "fixture-hss.jsonl", atSDKDate(0))
	if got := askHSS(t, b, sdkRequest("10.1.0.1")); got.status != 200 || got.body != `{"total_num":0,"data_list":[]}`+"\n" {
		t.Errorf("signed request = %d %s, want an empty page", got.status, got.body)
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	authorization := func(text string) func(*http.Request) { return set("Authorization", text) }
	query := func(text string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = text } }
	source := 1
	for name, row := range map[string]struct {
		spoil  func(*http.Request)
		reason string // at the end of the text; "": accepted
	}{
		"parameters in another order":            {query("user_name=&start_time=0&resource_name=k8s+infer%2F%C3%A4%2Bb%26c%3Dd%7E*&offset=0&limit=5&event_type=a,b"), ""},
		"a header that is not signed":            {set("Accept-Language", "de"), ""},
		"a token beside the signature":           {set("X-Auth-Token", "tok-nobody"), ""},
		"the hash of the empty body":             {set("X-Sdk-Content-Sha256", emptyHash), ""},
		"the members in another order":           {authorization("SDK-HMAC-SHA256 Signature=" + sdkSignature + ",Access=AKTESTEXAMPLE,SignedHeaders=" + sdkHeaders), ""},
		"another limit":                          {query(strings.Replace(sdkQuery, "limit=5", "limit=6", 1)), "verify aksk signature fail"},
		"one parameter more":                     {query(sdkQuery + "&x=1"), "verify aksk signature fail"},
		"one parameter less":                     {query(strings.TrimSuffix(sdkQuery, "&user_name")), "verify aksk signature fail"},
		"an escape decoded twice":                {query(strings.Replace(sdkQuery, "%2B", "%252B", 1)), "verify aksk signature fail"},
		"another method":                         {func(r *http.Request) { r.Method = "HEAD" }, "verify aksk signature fail"},
		"another project":                        {func(r *http.Request) { r.URL, _ = url.Parse("/v5/p1/container/image/events?" + sdkQuery) }, "verify aksk signature fail"},
		"another signed header":                  {set("User-Agent", "curl"), "verify aksk signature fail"},
		"a signed header less":                   {func(r *http.Request) { r.Header.Del("X-Project-Id") }, "verify aksk signature fail"},
		"another date":                           {set("X-Sdk-Date", "20261121T021352Z"), "verify aksk signature fail"},
		"one digit of the signature":             {authorization(sdkAuthorization("AKTESTEXAMPLE", sdkHeaders, "2"+sdkSignature[1:])), "verify aksk signature fail"},
		"fewer names of headers":                 {authorization(sdkAuthorization("AKTESTEXAMPLE", "user-agent;x-sdk-date", sdkSignature)), "verify aksk signature fail"},
		"names of headers in another order":      {authorization(sdkAuthorization("AKTESTEXAMPLE", "x-project-id;user-agent;x-sdk-date", sdkSignature)), "verify aksk signature fail"},
		"an unknown key":                         {authorization(sdkAuthorization("AKOTHER", sdkHeaders, sdkSignature)), "verify aksk signature fail"},
		"a body":                                 {func(r *http.Request) { r.Body = textBody("x") }, "verify aksk signature fail"},
		"a body with the hash of none":           {func(r *http.Request) { r.Body = textBody("x"); r.Header.Set("X-Sdk-Content-Sha256", emptyHash) }, "x-sdk-content-sha256 is not the hash of the body"},
		"a body that is too large to be hashed":  {func(r *http.Request) { r.Body = textBody(strings.Repeat("x", maxSignedBody+1)) }, "body of a signed request is too large"},
		"an unsigned payload":                    {set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD"), "x-sdk-content-sha256 is not the hash of the body"},
		"a signed header that stands twice":      {func(r *http.Request) { r.Header.Add("X-Project-Id", "p1") }, "a signed header stands there twice"},
		"a header that is signed twice":          {authorization(sdkAuthorization("AKTESTEXAMPLE", "user-agent;x-project-id;X-Project-Id;x-sdk-date", sdkSignature)), "a header is signed twice"},
		"no date":                                {func(r *http.Request) { r.Header.Del("X-Sdk-Date") }, "x-sdk-date is not of the form YYYYMMDDTHHMMSSZ"},
		"a date in another form":                 {set("X-Sdk-Date", "2026-11-21T02:13:51Z"), "x-sdk-date is not of the form YYYYMMDDTHHMMSSZ"},
		"the date is not signed":                 {authorization(sdkAuthorization("AKTESTEXAMPLE", "user-agent;x-project-id", sdkSignature)), "x-sdk-date is not signed"},
		"the signature in upper case":            {authorization(sdkAuthorization("AKTESTEXAMPLE", sdkHeaders, strings.ToUpper(sdkSignature))), "signature is not 64 hex digits"},
		"a signature that is cut":                {authorization(sdkAuthorization("AKTESTEXAMPLE", sdkHeaders, sdkSignature[:63])), "signature is not 64 hex digits"},
		"no signature":                           {authorization("SDK-HMAC-SHA256 Access=AKTESTEXAMPLE, SignedHeaders=" + sdkHeaders), "authorization header is incomplete"},
		"a member that stands twice":             {authorization(sdkAuthorization("AKTESTEXAMPLE", sdkHeaders, sdkSignature) + ", Access=AKOTHER"), "authorization header is malformed"},
		"an unknown member":                      {authorization(sdkAuthorization("AKTESTEXAMPLE", sdkHeaders, sdkSignature) + ", X=1"), "authorization header is malformed"},
		"nothing behind the algorithm":           {authorization("SDK-HMAC-SHA256"), "unsupported algorithm"},
		"more names of headers than anyone has":  {authorization(sdkAuthorization("AKTESTEXAMPLE", strings.Repeat("x;", 64)+"x-sdk-date", sdkSignature)), "authorization header is too long"},
		"a derived key":                          {authorization("V11-HMAC-SHA256 Credential=AKTESTEXAMPLE/20261121/r/s, SignedHeaders=x, Signature=1"), "unsupported algorithm"},
		"a Chinese hash":                         {authorization(strings.Replace(sdkAuthorization("AKTESTEXAMPLE", sdkHeaders, sdkSignature), "SHA256", "SM3", 1)), "unsupported algorithm"},
		"an elliptic curve":                      {authorization("SDK-ECDSA-P256-SHA256 Access=AKTESTEXAMPLE"), "unsupported algorithm"},
		"an algorithm not known, beside a token": {func(r *http.Request) { authorization("SDK-HMAC-SM3 x")(r); r.Header.Set("X-Auth-Token", "tok-admin") }, "unsupported algorithm"},
		"a scheme of others and no token":        {authorization("Basic eDp5"), "x-auth-token not found"},
	} {
		source++
		t.Run(name, func(t *testing.T) {
			r := sdkRequest("10.1.0." + strconv.Itoa(source))
			row.spoil(r)
			got := askHSS(t, b, r)
			if row.reason == "" {
				if got.status != 200 {
					t.Errorf("answer %d %s, want 200", got.status, got.body)
				}
				return
			}
			if want := "Incorrect IAM authentication information: " + row.reason; got.status != 401 || got.Code != "APIGW.0301" || got.Message != want {
				t.Errorf("answer %d %s, want 401 APIGW.0301 %s", got.status, got.body, want)
			}
		})
	}
}

func textBody(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

func TestSignatureInTime(t *testing.T) {
	for name, row := range map[string]struct {
		later time.Duration
		want  int
	}{
		"a quarter of an hour old":                {15 * time.Minute, 200},
		"a second older":                          {15*time.Minute + time.Second, 401},
		"a quarter of an hour ahead of this":      {-15 * time.Minute, 200},
		"a second more than that ahead of this":   {-15*time.Minute - time.Second, 401},
		"a year old, and the clock has gone mad?": {365 * 24 * time.Hour, 401},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, "", atSDKDate(row.later))
			if got := askHSS(t, b, sdkRequest("10.1.0.1")); got.status != row.want {
				t.Errorf("answer %d %s, want %d", got.status, got.body, row.want)
			}
		})
	}
}

func TestWrongSignaturesLockNobodyElseOut(t *testing.T) {
	b := newBox(t, "", atSDKDate(0))
	if _, err := b.server.opts.Accounts.Apply(strings.NewReader(`{"access_keys": [{"ak": "AKOTHER", "sk": "other secret", "user": "alice", "project": "` + hssProject + `"}]}`)); err != nil {
		t.Fatal(err)
	}
	spoilt := func(access string, n int) hssReply {
		r := sdkRequest("10.1.0.1")
		r.Header.Set("Authorization", sdkAuthorization(access, sdkHeaders, hexSum(access+string(rune(n)))))
		return askHSS(t, b, r)
	}
	for _, access := range []string{"AKOTHER", "AKUNKNOWN"} { // no difference tells which one there is
		for n := range failuresPerMinute {
			if got := spoilt(access, n); got.status != 401 {
				t.Fatalf("wrong signature %d of %s = %d %s, want 401", n+1, access, got.status, got.body)
			}
		}
		if got := spoilt(access, 99); got.status != 429 || got.Code != "APIGW.0308" {
			t.Errorf("one more of %s = %d %s, want 429", access, got.status, got.body)
		}
	}
	if got := askHSS(t, b, sdkRequest("10.1.0.1")); got.status != 200 {
		t.Errorf("another key from the same address = %d %s, want 200", got.status, got.body)
	}
	for n := range failuresPerMinute {
		spoilt("AK"+string(rune('a'+n)), 0)
	}
	if got := spoilt("AKyetanother", 0); got.status != 429 {
		t.Errorf("after wrong signatures of a dozen keys one more = %d %s, want 429", got.status, got.body)
	}
	if got := askHSS(t, b, sdkRequest("10.1.0.2")); got.status != 200 {
		t.Errorf("another address = %d %s, want 200", got.status, got.body)
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add(sdkAuthorization("AKTESTEXAMPLE", sdkHeaders, sdkSignature), sdkQuery)
	f.Add("SDK-HMAC-SHA256 Access=,,=;=", "a&&=b&%zz=%2")
	f.Add("SDK-HMAC-SHA256 Signature="+sdkSignature+",SignedHeaders=host;;x-sdk-date,Access==", "")
	f.Fuzz(func(t *testing.T, text, query string) {
		a, err := parseAuthorization(text)
		if err != nil {
			return
		}
		if again, err := parseAuthorization(sdkAuthorization(a.access, a.headers, a.signature)); err != nil || again != a {
			t.Errorf("%q is read as %+v, which written again is %+v, %v", text, a, again, err)
		}
		r := sdkRequest("10.1.0.1")
		r.URL.RawQuery = query
		signed, err := a.toSign(&request{Request: r, query: params(query)}, time.Date(2026, 11, 21, 2, 13, 51, 0, time.UTC))
		if err == nil && strings.Count(signed, "\n") != 2 {
			t.Errorf("text to sign has %d lines: %q", strings.Count(signed, "\n")+1, signed)
		}
		if canonical := hssCanonicalQuery(params(query)); canonical != hssCanonicalQuery(params(canonical)) {
			t.Errorf("the canonical form of %q is not its own: %q", canonical, hssCanonicalQuery(params(canonical)))
		}
	})
}
