package s3

import (
	"net"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Place returns "s3://host/bucket/prefix". The host is "amazonaws.com" for all of AWS, where a bucket's name stands for one bucket.
func (s *Store) Place() string {
	return Scheme + hostOf(aws.ToString(s.client.Options().BaseEndpoint)) + strings.TrimPrefix(s.config.location(), "s3:/")
}

const awsHost = "amazonaws.com"

// hostOf is the server of an endpoint, as far as it can be known without asking. With or without TLS, it is the same server.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return awsHost
	}
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	if partition := strings.TrimSuffix(host, ".cn"); partition == awsHost || strings.HasSuffix(partition, "."+awsHost) {
		return awsHost
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		host = "localhost"
	}
	if port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		return host + strings.TrimSuffix(u.Path, "/")
	}
	return net.JoinHostPort(host, port) + strings.TrimSuffix(u.Path, "/")
}
