package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"
)

const api = "/container-station/api/v1"

// login returns a client that is logged in and shows the token too, so that it may ask in every dialect.
func login(base string) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar, Timeout: 5 * time.Minute, Transport: bearer{&http.Transport{MaxIdleConnsPerHost: 200}}}
	resp, err := client.Post(base+api+"/login", "application/json",
		strings.NewReader(fmt.Sprintf(`{"username": "admin", "password": %q}`, password)))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New("login: " + resp.Status)
	}
	return client, nil
}

// bearer names the asker in the ways of the dialects that know no sessions.
type bearer struct{ http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Auth-Token", token)
	return b.RoundTripper.RoundTrip(r)
}

// get reads an answer to its end and tells how long all of it took.
func get(client *http.Client, url string) ([]byte, time.Duration, error) {
	began := time.Now()
	resp, err := client.Get(url)
	return answer(began, resp, err)
}

// post sends a body and reads the answer.
func post(client *http.Client, url, contentType string, body []byte) ([]byte, time.Duration, error) {
	began := time.Now()
	resp, err := client.Post(url, contentType, bytes.NewReader(body))
	return answer(began, resp, err)
}

func answer(began time.Time, resp *http.Response, err error) ([]byte, time.Duration, error) {
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	took := time.Since(began)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %.200s", resp.Request.Method, resp.Request.URL, resp.Status, body)
	}
	return body, took, err
}

// drain reads an answer to its end and throws it away.
func drain(client *http.Client, url string) (int64, time.Duration, error) {
	began := time.Now()
	resp, err := client.Get(url)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return n, time.Since(began), err
}
