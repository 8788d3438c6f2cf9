package openstack

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
)

const token = "tok-admin"

// newClient is a client as gophercloud makes one of a catalog's endpoint. The journal has no catalog here.
func newClient(url, token string) *gophercloud.ServiceClient {
	return &gophercloud.ServiceClient{ProviderClient: &gophercloud.ProviderClient{TokenID: token}, Endpoint: url + "/v1/", Type: "journal"}
}

type entry struct {
	ID         int64   `json:"id"`
	Action     string  `json:"action"`
	Status     string  `json:"status"`
	ObjectID   string  `json:"object_id"`
	ObjectType string  `json:"object_type"`
	UserName   string  `json:"user_name"`
	RequestID  string  `json:"request_id"`
	Message    *string `json:"message"`
	Arguments  *string `json:"action_arguments"`
	EventTime  string  `json:"event_time"`
}

// list asks for the journal with a query as gophercloud builds one of a struct: repeated names for a list.
func list(t *testing.T, c *gophercloud.ServiceClient, options any) (ids []int64, entries []entry) {
	t.Helper()
	query, err := gophercloud.BuildQueryString(options)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Journal []entry }
	if _, err := c.Get(t.Context(), c.ServiceURL("journal")+"/"+query.String(), &answer, nil); err != nil {
		t.Fatal(err)
	}
	for _, e := range answer.Journal {
		ids = append(ids, e.ID)
	}
	return ids, answer.Journal
}

func TestGophercloud(t *testing.T) {
	all, journal := startShiplog(t)
	for name, url := range map[string]string{"the common listener": all, "the journal's listener": journal} {
		t.Run(name, func(t *testing.T) {
			c := newClient(url, token)
			t.Run("list, count and filter", func(t *testing.T) { readJournal(t, c) })
			t.Run("post and read back", func(t *testing.T) { writeJournal(t, c) })
			t.Run("refusals", func(t *testing.T) { refusals(t, url) })
		})
	}
	t.Run("keystoneauth1", func(t *testing.T) { keystoneauth(t, journal) })
}

func readJournal(t *testing.T, c *gophercloud.ServiceClient) {
	type options struct {
		Types    []string `q:"object_type__in"`
		Status   string   `q:"status"`
		ObjectID string   `q:"object_id__noteq"`
		From     string   `q:"event_time__gte"`
		Below    int      `q:"id__lte"`
		Limit    int      `q:"limit"`
		Offset   int      `q:"offset"`
	}
	if ids, _ := list(t, c, options{Types: []string{"server", "node"}, Below: 47, Limit: 4}); !slices.Equal(ids, []int64{46, 45, 44, 43}) {
		t.Errorf("object_type__in twice = %v, want 46 45 44 43", ids)
	}
	if ids, _ := list(t, c, options{Status: "SUCCESS", Below: 47, Limit: 3, Offset: 1}); !slices.Equal(ids, []int64{46, 43, 42}) {
		t.Errorf("the second to fourth success = %v, want 46 43 42", ids)
	}
	if ids, _ := list(t, c, options{From: "2018-03-24T07:00:00+05:00", Below: 47, ObjectID: "o-1"}); !slices.Equal(ids, []int64{45, 44}) {
		t.Errorf("since a time of another zone = %v, want 45 44", ids)
	}
	_, newest := list(t, c, options{Below: 47, Limit: 1})
	if len(newest) != 1 || newest[0].ID != 47 || newest[0].EventTime != "2018-03-22T07:25:31" || newest[0].Message == nil || newest[0].Arguments != nil {
		t.Errorf("the newest entry = %+v, want the one of the product's document", newest)
	}
	var count struct{ Count int }
	if _, err := c.Get(t.Context(), c.ServiceURL("journal", "count")+"?object_type=volume&id__lte=47", &count, nil); err != nil || count.Count != 8 {
		t.Errorf("count of volumes = %d, %v, want 8", count.Count, err)
	}
}

func writeJournal(t *testing.T, c *gophercloud.ServiceClient) {
	body := map[string]any{"journal": map[string]any{"object_id": "4", "object_type": "node", "action": "node_control.power_on", "status": "Success",
		"action_arguments": map[string]any{"user": "admin"}}}
	var posted, read struct{ Journal entry }
	res, err := c.Post(t.Context(), c.ServiceURL("journal")+"/", body, &posted, nil)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("POST = %v, %v, want 201", res, err)
	}
	e := posted.Journal
	if e.ID <= 47 || e.ObjectID != "4" || e.Status != "success" || e.UserName != "admin" || len(e.RequestID) != 36 || e.Arguments == nil || *e.Arguments != `{"user":"admin"}` {
		t.Errorf("POST answers %+v, want the entry as it is shown", e)
	}
	if !strings.HasPrefix(res.Header.Get("X-Openstack-Request-Id"), "req-") {
		t.Errorf("X-Openstack-Request-Id = %q, want req-...", res.Header.Get("X-Openstack-Request-Id"))
	}
	_, found := list(t, c, struct {
		Request string `q:"request_id"`
	}{e.RequestID})
	if len(found) != 1 || found[0].ID != e.ID {
		t.Errorf("GET after POST = %+v, want the one entry %d", found, e.ID)
	}
	if _, err := c.Get(t.Context(), c.ServiceURL("journal")+"/"+strconv.FormatInt(e.ID, 10), &read, nil); err != nil || read.Journal.RequestID != e.RequestID {
		t.Errorf("GET journal/%d = %+v, %v, want what was posted", e.ID, read.Journal, err)
	}
}

func refusals(t *testing.T, url string) {
	for _, row := range []struct {
		token, path, title string
		status             int
	}{
		{"wrong", "/", "Unauthorized", http.StatusUnauthorized},
		{token, "/?action__like=x", "Bad Request", http.StatusBadRequest},
		{token, "/999999", "Not Found", http.StatusNotFound},
	} {
		c := newClient(url, row.token)
		_, err := c.Get(t.Context(), c.ServiceURL("journal")+row.path, new(any), nil)
		var refused gophercloud.ErrUnexpectedResponseCode
		var body struct {
			Error struct {
				Code           int
				Title, Message string
			}
		}
		if !errors.As(err, &refused) || refused.Actual != row.status || json.Unmarshal(refused.Body, &body) != nil ||
			body.Error.Code != row.status || body.Error.Title != row.title || body.Error.Message == "" {
			t.Errorf("GET journal%s = %v, want %d in Keystone's shape", row.path, err, row.status)
		}
		if row.status == http.StatusUnauthorized && refused.ResponseHeader.Get("WWW-Authenticate") != `Keystone uri="http://127.0.0.1:5000/v3"` {
			t.Errorf("WWW-Authenticate = %q, want the identity service", refused.ResponseHeader.Get("WWW-Authenticate"))
		}
	}
}

// keystoneauth runs the script with the first Python that has keystoneauth1: Debian's is not always the first
// in PATH.
func keystoneauth(t *testing.T, url string) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import keystoneauth1").Run() != nil {
			continue
		}
		out, err := exec.Command(python, "journal.py", url+"/v1", token).CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), "ok\n") {
			t.Errorf("%s journal.py: %v\n%s", python, err, out)
		}
		return
	}
	t.Skip("no python3 here can import keystoneauth1; apt-get install python3-keystoneauth1")
}
