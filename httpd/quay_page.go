package httpd

import (
	"encoding/json"
	"net/http"
	"time"

	"shiplog/index"
)

// quayPageLife is for how long a page token is good.
const quayPageLife = 48 * time.Hour

// quayPage is what a list has to know to be continued: the question, and the place of the last record that was
// sent. Times of a span are in whole seconds.
type quayPage struct {
	Performer string `json:"p,omitempty"`
	From      int64  `json:"f"` // Unix seconds, as To and Issued
	To        int64  `json:"t"`
	Time      int64  `json:"n"` // Unix nanoseconds
	Seq       uint64 `json:"s"`
	Issued    int64  `json:"i"`
}

func (p quayPage) span() quaySpan {
	return quaySpan{time.Unix(p.From, 0).UTC(), time.Unix(p.To, 0).UTC()}
}

func (p quayPage) place() index.Place { return index.Place{Time: p.Time, Seq: p.Seq} }

// quayAbout is what a page token is bound to: the endpoint and for whom it was made.
func quayAbout(scope quayScope, subject string) []byte {
	b, _ := json.Marshal([]string{"quay logs 1", scope.user, scope.ns, scope.repo, subject}) // strings do not fail
	return b
}

var errPageToken = failf(http.StatusBadRequest, "Invalid page token")

// sealPage makes the token of the next page.
func (q quay) sealPage(p quayPage, scope quayScope, subject string) string {
	p.Issued = q.s.opts.Now().Unix()
	plain, _ := json.Marshal(p) // numbers and a string do not fail
	return q.s.pages.seal(quayAbout(scope, subject), plain)
}

// openPage reads a page token. The error is errPageToken for one that was not made here, for the same caller
// and endpoint, within the last two days.
func (q quay) openPage(token string, scope quayScope, subject string) (quayPage, error) {
	var p quayPage
	plain, err := q.s.pages.open(quayAbout(scope, subject), token)
	if err != nil || json.Unmarshal(plain, &p) != nil || p.Seq == 0 {
		return quayPage{}, errPageToken
	}
	age := q.s.opts.Now().Sub(time.Unix(p.Issued, 0))
	if age.Abs() >= quayPageLife { // a clock that was set back does not make tokens last
		return quayPage{}, errPageToken
	}
	return p, nil
}

// agrees tells whether what a request repeats of the question is what the token was made for. What it leaves
// out is as it was.
func (p quayPage) agrees(query params, performer string) error {
	start, there, err := spanDay(query, nil, "starttime")
	if err != nil {
		return err
	}
	if there && start.Unix() != p.From {
		return errPageToken
	}
	end, there, err := spanDay(query, nil, "endtime")
	if err != nil {
		return err
	}
	if there && end.Add(quayDay).Unix() != p.To || performer != "" && performer != p.Performer {
		return errPageToken
	}
	return nil
}
