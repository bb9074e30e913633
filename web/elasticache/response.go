package elasticache

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// stamp is a time as the API writes it, in UTC with milliseconds.
type stamp time.Time

// MarshalText writes "2026-01-02T03:04:05.123Z".
func (s stamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format("2006-01-02T15:04:05.000Z")), nil
}

// at returns a time for an answer; the zero time and nil are left out.
func at(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

// nothing is the result of an action that answers only that it succeeded.
type nothing struct{}

// namespace returns the XML namespace of the answer's elements.
func (c *call) namespace() string {
	if c.service == serviceSTS {
		return "https://sts.amazonaws.com/doc/" + stsVersion + "/"
	}
	return "http://elasticache.amazonaws.com/doc/" + version + "/"
}

type metadata struct{ RequestId string } // the wire's name

// respond writes a success: <XResponse><XResult>...</XResult><ResponseMetadata>.
func (a *api) respond(w http.ResponseWriter, c *call, result any) {
	var page bytes.Buffer
	page.WriteString(xml.Header)
	encoder := xml.NewEncoder(&page)
	root := xml.StartElement{Name: xml.Name{Local: c.action + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: c.namespace()}}}
	err := encoder.EncodeToken(root)
	if _, none := result.(nothing); !none && err == nil {
		err = encoder.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: c.action + "Result"}})
	}
	if err == nil {
		err = encoder.EncodeElement(metadata{c.request}, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}})
	}
	if err == nil {
		err = encoder.EncodeToken(root.End())
	}
	if err == nil {
		err = encoder.Close()
	}
	if err != nil {
		a.Logger.Error("write API answer", "request", c.request, "action", c.action, "error", err)
		a.refuse(w, c, internalFailure)
		return
	}
	send(w, http.StatusOK, page.Bytes())
}

// refuse writes an error: <ErrorResponse><Error>...</Error><RequestId>.
func (a *api) refuse(w http.ResponseWriter, c *call, f fault) {
	answer := struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Space   string   `xml:"xmlns,attr"`
		Type    string   `xml:"Error>Type"`
		Code    string   `xml:"Error>Code"`
		Message string   `xml:"Error>Message"`
		ID      string   `xml:"RequestId"`
	}{Space: c.namespace(), Type: "Sender", Code: f.code, Message: f.message, ID: c.request}
	if f.status >= 500 {
		answer.Type = "Receiver"
	}
	text, err := xml.Marshal(answer)
	if err != nil {
		a.Logger.Error("write API error", "request", c.request, "error", err) // texts cannot fail
	}
	send(w, f.status, append([]byte(xml.Header), text...))
}

func send(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that hung up no longer wants it
}

// partition returns the part of AWS that a region belongs to, as ARNs name it.
func partition(region string) string {
	switch {
	case len(region) > 3 && region[:3] == "cn-":
		return "aws-cn"
	case len(region) > 7 && region[:7] == "us-gov-":
		return "aws-us-gov"
	}
	return "aws"
}

// arn returns the ARN of a resource such as "cluster:orders-001".
func (c *call) arn(resource string) string {
	return fmt.Sprintf("arn:%s:elasticache:%s:%s:%s", partition(c.region), c.region, c.account, resource)
}

func (c *call) userARN() string {
	return fmt.Sprintf("arn:%s:iam::%s:user/%s", partition(c.region), c.account, c.key.KeyID)
}
