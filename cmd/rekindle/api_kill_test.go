package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TestARequestActsOnceAlsoWhenTheConsoleIsKilledInItsMiddle kills the console at any instant of a request and sends it again with the same
// invocation, as a client does that has heard nothing. Had it acted without saying so, the second one would meet what the first has
// made; had it said so without acting, nothing would be there to show.
func TestARequestActsOnceAlsoWhenTheConsoleIsKilledInItsMiddle(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	kills, random := rounds(t, 5), randomness(t)
	acted := 0
	for i := range kills {
		name := fmt.Sprintf("group-%d", i)
		form := url.Values{"Action": {"CreateCacheParameterGroup"}, "Version": {"2015-02-02"}, "CacheParameterGroupName": {name},
			"CacheParameterGroupFamily": {"redis7"}, "Description": {"d"}}
		first := make(chan int, 1)
		request := a.signed(form, name, 1)
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				first <- 0
				return
			}
			_ = response.Body.Close()
			first <- response.StatusCode
		}()
		answer := 0
		if i == 0 { // once for certain it has acted
			answer = <-first
			a.kill()
		} else {
			// The instant of the kill is what is being tested: it has to be at random.
			<-time.After(time.Duration(random.Int64N(int64(12 * time.Millisecond))))
			a.kill()
			answer = <-first
		}
		if answer == http.StatusOK {
			acted++
		}
		a.start()
		response := must(http.DefaultClient.Do(a.signed(form, name, 2)))(t)
		body := must(io.ReadAll(response.Body))(t)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK || !strings.Contains(string(body), "<CacheParameterGroupName>"+name+"</CacheParameterGroupName>") {
			t.Errorf("%s: %d %s", name, response.StatusCode, body)
		}
	}
	t.Logf("%d of %d requests were answered before the kill", acted, kills)
	if acted == 0 {
		t.Error("no request was answered before the kill: no answer was repeated")
	}
}

// signed is a request of an invocation, the n-th attempt.
func (a *apiConsole) signed(form url.Values, invocation string, attempt int) *http.Request {
	a.t.Helper()
	body := form.Encode()
	r := must(http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.url+"/", strings.NewReader(body)))(a.t)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Amz-Sdk-Invocation-Id", invocation)
	r.Header.Set("Amz-Sdk-Request", fmt.Sprintf("attempt=%d; max=3", attempt))
	sum := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(a.t.Context(), aws.Credentials{AccessKeyID: apiKeyID, SecretAccessKey: apiSecret}, r, hex.EncodeToString(sum[:]), "elasticache", apiRegion, time.Now())
	if err != nil {
		a.t.Fatal(err)
	}
	return r
}
