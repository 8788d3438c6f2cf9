package httpd

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"shiplog/index"
)

// hss is the "Querying Container Image Operation Logs" API of Huawei Cloud's Host Security Service.
type hss struct{ s *Server }

// hssDialects has one route, at the root of the host: the vendor's SDK drops whatever path its endpoint has.
func hssDialects(s *Server) []*dialect {
	h := hss{s}
	return []*dialect{{name: "hss", prefix: "/v5", fail: failHSS, begin: beginHSS, routes: []route{
		{method: http.MethodGet, path: "/v5/{project_id}/container/image/events", handler: h.events, body: maxSignedBody},
	}}}
}

// beginHSS gives every answer an id of its own, whatever the client sent: the vendor's are 32 hex digits.
func beginHSS(h http.Header, _ *http.Request) { h.Set(requestID, newRequestID()) }

// hssError is an answer of status 400 and above. The SDK takes code and text only when both are there.
type hssError struct {
	Code      string `json:"error_code"`
	Message   string `json:"error_msg"`
	RequestID string `json:"request_id"`
}

func failHSS(w http.ResponseWriter, _ *http.Request, e *statusError) {
	_ = writeCompact(w, e.status, hssError{hssCode(e.status), e.message, w.Header().Get(requestID)}) // cannot fail: strings
}

// hssCode is the vendor's code for a status. What its API gateway refuses has the gateway's codes, what the
// service behind it refuses has its own.
func hssCode(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "HSS.0002"
	case http.StatusUnauthorized:
		return "APIGW.0301"
	case http.StatusForbidden:
		return "APIGW.0302"
	case http.StatusNotFound, http.StatusMethodNotAllowed: // an API is a path with its method there
		return "APIGW.0101"
	case http.StatusTooManyRequests:
		return "APIGW.0308"
	}
	if status < 500 {
		return "APIGW.0201" // the request cannot be processed: too large, wrong host
	}
	return "HSS.0001"
}

// hssPage is the answer to a query (seed 003).
type hssPage struct {
	Total int      `json:"total_num"` // all matches, whatever limit and offset are; the SDK reads an int32
	List  []hssRow `json:"data_list"`
}

// events answers one page of the operations on containers and images of a project, newest first.
func (h hss) events(w http.ResponseWriter, r *request) error {
	project := r.vars[0]
	if !validProject(project) {
		return failf(http.StatusBadRequest, "Invalid parameter: project_id has 1 to 64 letters, digits, - and _")
	}
	own, err := h.caller(r)
	if err != nil {
		return err
	}
	if own != project {
		return failf(http.StatusForbidden, "The credential does not belong to this project")
	}
	f, err := parseHSSFilter(r.query)
	if err != nil {
		return err
	}
	return h.page(w, r, f.query(func(named string) bool { return r.settings.projectOf(named) == project }))
}

// page counts and lists on one state of the log.
func (h hss) page(w http.ResponseWriter, r *request, query index.Query) error {
	page, total, err := h.s.searchCounted(r.Context(), query)
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	damaged := page.Damaged
	if query.Offset >= total { // nothing was looked at
		damaged = h.s.damaged()
	}
	h.s.degraded(w, damaged)
	rows := make([]hssRow, 0, len(page.Hits))
	for i := range page.Hits {
		rows = append(rows, newHSSRow(&page.Hits[i].Fields))
	}
	return writeCompact(w, http.StatusOK, hssPage{min(total, math.MaxInt32), rows})
}

// validProject tells whether id can be a project. What an SDK sends that knows no project, {project_id}, is none.
func validProject(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	return strings.Trim(id, "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// caller returns the project of who asks: by signature when there is one, else by token.
func (h hss) caller(r *request) (project string, err error) {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case scheme == hssAlgorithm:
		key, err := h.signer(r)
		return r.settings.projectOf(key.Project), err
	case strings.HasPrefix(scheme, "SDK-"), strings.HasPrefix(scheme, "V11-"):
		return "", refuseHSS("unsupported algorithm")
	}
	t, err := h.s.tokenOf(r.Request, r.Header.Get("X-Auth-Token"))
	switch {
	case errors.Is(err, errNoCredential):
		return "", refuseHSS("x-auth-token not found")
	case errors.Is(err, errCredentials):
		return "", refuseHSS("decrypt token fail")
	case err != nil:
		return "", err
	case !t.may(roleReader, roleWriter, roleService):
		return "", failf(http.StatusForbidden, "The token has no role that may read")
	}
	return r.settings.projectOf(t.Project), nil
}

// refuseHSS says why a credential is not taken, in the gateway's words.
func refuseHSS(reason string) *statusError {
	return failf(http.StatusUnauthorized, "Incorrect IAM authentication information: %s", reason)
}
