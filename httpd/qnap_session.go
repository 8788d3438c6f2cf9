package httpd

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// maxLogin bounds the body of a login, in bytes. It is far more than any needs, and little enough for every
// connection to send one at the same time.
const maxLogin = 64 << 10

// loginBody is the answer to a login and to its refresh.
type loginBody struct {
	Anonymous bool   `json:"anonymous"`
	IsAdmin   bool   `json:"isAdmin"`
	LoginTime string `json:"logintime"` // UTC
	Username  string `json:"username"`
}

func (q qnap) login(w http.ResponseWriter, r *request) error {
	if len(r.body) > maxLogin {
		return errLoginBody
	}
	c, err := parseLogin(r.body)
	if err != nil {
		return err
	}
	n, err := q.s.login(r.Request, c)
	if err != nil {
		return err
	}
	who, ok := q.s.identify(&n)
	if !ok {
		return errCredentials // removed in this very moment
	}
	id, opened := q.s.sessions.open(n)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: id, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: secured(r.Request)})
	return writeJSON(w, http.StatusOK, loginAnswer(caller{who, opened}))
}

func (q qnap) refresh(w http.ResponseWriter, _ *request, who caller) error {
	return writeJSON(w, http.StatusOK, loginAnswer(who))
}

func loginAnswer(who caller) loginBody {
	return loginBody{IsAdmin: who.admin, LoginTime: who.session.login.UTC().Format(time.DateTime), Username: who.name}
}

func (q qnap) logout(w http.ResponseWriter, r *request, who caller) error {
	q.s.sessions.end(who.session)
	q.s.auth.logout(r.Request, who.name)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: secured(r.Request)})
	return writeJSON(w, http.StatusOK, struct {
		Username string `json:"username"`
	}{who.name})
}

var errLoginBody = failf(http.StatusBadRequest, "Body must hold username and password, or sid")

// parseLogin reads the body of a login. Its first byte that is no space decides between JSON and a form, not
// the Content-Type: curl -d labels JSON as a form, and one Python client does not label it at all.
func parseLogin(body []byte) (credentials, error) {
	body = bytes.TrimSpace(body)
	get := params(body).get
	if len(body) > 0 && body[0] == '{' {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			return credentials{}, failf(http.StatusBadRequest, "Body is not a JSON object")
		}
		get = func(name string) string {
			var s string
			if json.Unmarshal(members[name], &s) != nil {
				return "" // absent, or no string
			}
			return s
		}
	}
	c := credentials{name: get("username"), password: get("password")}
	if c.name != "" && c.password != "" {
		return c, nil
	}
	if c = (credentials{token: get("sid")}); c.token != "" {
		return c, nil
	}
	return credentials{}, errLoginBody
}
