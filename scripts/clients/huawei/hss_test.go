package huawei

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/httphandler"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/impl"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	hss "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/hss/v5"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/hss/v5/model"
)

const (
	project = "0123456789abcdef0123456789abcdef"
	access  = "AKTESTEXAMPLE"
	secret  = "SKTESTEXAMPLESECRET"
	token   = "tok-admin"

	contract = repository + "/httpd/testdata/contract/"

	// special is a record whose texts need every kind of escaping on their way.
	special     = "k8s infer/ä+b&c=d~*%2F'\"<日本>"
	specialLine = `{"v":1,"seq":22,"id":"0b2f1b30-74a5-4c1b-9f0c-5d3f4c1e2a3b","time":"2025-01-21T12:00:00.0019Z","stream":"log","category":"a,b","action":"hss.pull now",` +
		`"actor":{"name":"user test"},"src":{"ip":"2001:db8::1"},"obj":{"type":"image","name":"k8s infer/ä+b&c=d~*%2F'\"<日本>"},"project":"` + project + `","msg":"a \"quoted\"\nline"}`
)

// tokenCredentials sends a token instead of a signature. The SDK has no such credentials, but takes ones that are
// made outside of it.
type tokenCredentials struct{ project, token string }

func (c tokenCredentials) ProcessAuthParams(*impl.DefaultHttpClient, string) (auth.ICredential, error) {
	return c, nil
}

func (c tokenCredentials) ProcessAuthRequest(_ *impl.DefaultHttpClient, r *request.DefaultHttpRequest) (*request.DefaultHttpRequest, error) {
	return r.Builder().AddAutoFilledPathParam("project_id", c.project).AddHeaderParam("X-Auth-Token", c.token).Build(), nil
}

// client is the SDK's client, with a look at what it sends.
type client struct {
	*hss.HssClient
	sent *http.Header // of the last request
}

func newClient(t *testing.T, url string, credentials auth.ICredential) client {
	t.Helper()
	sent := new(http.Header)
	look := httphandler.NewHttpHandler().AddRequestHandler(func(r http.Request) { *sent = r.Header })
	c, err := hss.HssClientBuilder().WithCredentialsType("basic.Credentials,huawei.tokenCredentials").WithEndpoints([]string{url}).
		WithCredential(credentials).WithHttpConfig(config.DefaultHttpConfig().WithTimeout(20 * time.Second).WithHttpHandler(look)).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return client{hss.NewHssClient(c), sent}
}

func keyCredentials(t *testing.T, access, secret, project string) auth.ICredential {
	t.Helper()
	c, err := basic.NewCredentialsBuilder().WithAk(access).WithSk(secret).WithProjectId(project).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// event is one row as a client has it.
type event struct {
	Name, Type, Event, ID, EventType, IP, User, Content string
	Time                                                int64
}

// stored reads what was imported, in the order in which it must come back.
func stored(t *testing.T, lines string) (events []event) {
	t.Helper()
	var times []time.Time
	at := map[string]time.Time{}
	for line := range strings.Lines(lines) {
		var r struct {
			ID, Category, Action, Msg string
			Time                      time.Time
			Actor                     struct{ Name string }
			Src                       struct{ IP string }
			Obj                       struct{ Type, Name string }
			Data                      struct {
				HSS struct {
					ResourceType string `json:"resource_type"`
					EventName    string `json:"event_name"`
					EventType    string `json:"event_type"`
				}
			}
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		e := event{r.Obj.Name, r.Data.HSS.ResourceType, r.Data.HSS.EventName, r.ID, r.Data.HSS.EventType, r.Src.IP, r.Actor.Name, r.Msg, r.Time.UnixMilli()}
		if e.Type == "" {
			e.Type, e.Event, e.EventType = r.Obj.Type, strings.TrimPrefix(r.Action, "hss."), r.Category
		}
		events, times, at[e.ID] = append(events, e), append(times, r.Time), r.Time
	}
	slices.SortFunc(events, func(a, b event) int { return at[b.ID].Compare(at[a.ID]) })
	return events
}

// list asks for one page.
func (c client) list(t *testing.T, r model.ListContainerImageLogsRequest) (total int, events []event) {
	t.Helper()
	answer, err := c.ListContainerImageLogs(&r)
	if err != nil {
		t.Fatalf("list %v: %v", r, err)
	}
	if answer.HttpStatusCode != 200 || answer.TotalNum == nil || answer.DataList == nil {
		t.Fatalf("list %v = %v, want total_num and data_list", r, answer)
	}
	for i, row := range *answer.DataList {
		for _, member := range []*string{row.ResourceName, row.ResourceType, row.EventName, row.EventId, row.EventType, row.SourceIp, row.UserName, row.Content} {
			if member == nil || row.Time == nil {
				t.Fatalf("row %d lacks a member: %v", i, row)
			}
		}
		events = append(events, event{*row.ResourceName, *row.ResourceType, *row.EventName, *row.EventId, *row.EventType, *row.SourceIp, *row.UserName, *row.Content, *row.Time})
	}
	return int(*answer.TotalNum), events
}

func TestOfficialSDK(t *testing.T) {
	lines := readFile(t, contract+"fixture-hss.jsonl") + specialLine + "\n"
	want := stored(t, lines)
	url := startShiplog(t, lines, readFile(t, contract+"accounts.json"))
	for name, row := range map[string]struct {
		credentials      auth.ICredential
		signed           bool
		wrong, elsewhere auth.ICredential
		wrongText        string
	}{
		"access key": {keyCredentials(t, access, secret, project), true, keyCredentials(t, access, "wrong", project), keyCredentials(t, access, secret, "p1"),
			"verify aksk signature fail"},
		"token": {tokenCredentials{project, token}, false, tokenCredentials{project, "wrong"}, tokenCredentials{"p1", token}, "decrypt token fail"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, url, row.credentials)
			t.Run("page by page", func(t *testing.T) { pageByPage(t, c, want) })
			if signed := strings.HasPrefix(c.sent.Get("Authorization"), "SDK-HMAC-SHA256 "); signed != row.signed || (c.sent.Get("X-Auth-Token") != "") == row.signed {
				t.Errorf("the SDK sent %v, want a signature: %t", c.sent, row.signed)
			}
			t.Run("filters", func(t *testing.T) { filters(t, c, want) })
			refused(t, newClient(t, url, row.wrong), model.ListContainerImageLogsRequest{}, 401, "APIGW.0301", "Incorrect IAM authentication information: "+row.wrongText)
			refused(t, newClient(t, url, row.elsewhere), model.ListContainerImageLogsRequest{}, 403, "APIGW.0302", "project")
			refused(t, c, model.ListContainerImageLogsRequest{Limit: new(int32(201))}, 400, "HSS.0002", "limit")
		})
	}
	t.Run("no project", func(t *testing.T) {
		refused(t, newClient(t, url, keyCredentials(t, access, secret, "")), model.ListContainerImageLogsRequest{}, 400, "HSS.0002", "project_id")
	})
}

// pageByPage goes on until it has as many as there are.
func pageByPage(t *testing.T, c client, want []event) {
	var got []event
	for len(got) < len(want) {
		total, page := c.list(t, model.ListContainerImageLogsRequest{Limit: new(int32(5)), Offset: new(int32(len(got)))})
		if total != len(want) || len(page) == 0 {
			t.Fatalf("page from %d = %d of %d records, want some of %d", len(got), len(page), total, len(want))
		}
		got = append(got, page...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("all pages = %+v, want %+v", got, want)
	}
}

func filters(t *testing.T, c client, all []event) {
	for name, row := range map[string]struct {
		request model.ListContainerImageLogsRequest
		want    func(event) bool
	}{
		"special characters": {model.ListContainerImageLogsRequest{ResourceName: new(special), EventType: new("a,b"), EventName: new("pull now"), UserName: new("user test"),
			SourceIp: new("2001:DB8:0::1"), StartTime: new(int64(1737460800001)), EndTime: new(int64(1737460800001))}, func(e event) bool { return e.Name == special }},
		"an image reference": {model.ListContainerImageLogsRequest{ResourceType: new("scc_hss_container/hello-world:*")}, func(e event) bool { return e.Type == "scc_hss_container/hello-world:*" }},
		"a user":             {model.ListContainerImageLogsRequest{UserName: new("ops")}, func(e event) bool { return e.User == "ops" }},
		"an empty user":      {model.ListContainerImageLogsRequest{UserName: new("")}, func(event) bool { return true }},
		"a time":             {model.ListContainerImageLogsRequest{StartTime: new(int64(1737465610000))}, func(e event) bool { return e.Time >= 1737465610000 }},
		"nothing":            {model.ListContainerImageLogsRequest{ResourceName: new("nothing")}, func(event) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []event
			for _, e := range all {
				if row.want(e) {
					want = append(want, e)
				}
			}
			row.request.Limit = new(int32(200))
			if total, got := c.list(t, row.request); total != len(want) || !slices.Equal(got, want) {
				t.Errorf("list = %d records: %+v, want %d: %+v", total, got, len(want), want)
			}
		})
	}
}

// refused checks what the SDK makes of an error.
func refused(t *testing.T, c client, r model.ListContainerImageLogsRequest, status int, code, text string) {
	t.Helper()
	_, err := c.ListContainerImageLogs(&r)
	e, ok := errors.AsType[*sdkerr.ServiceResponseError](err)
	if !ok {
		t.Errorf("error = %v (%T), want a ServiceResponseError", err, err)
		return
	}
	if e.StatusCode != status || e.ErrorCode != code || !strings.Contains(e.ErrorMessage, text) || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(e.RequestId) {
		t.Errorf("error = %v, want status %d, code %s, text %q and a request id", e, status, code, text)
	}
}
