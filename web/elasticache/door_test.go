package elasticache

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/models"
)

func TestWhoIsNotProvedIsRefusedInAWSsCodes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	list := form("DescribeSnapshots")
	signed := func(change ...func(*http.Request)) *http.Request {
		return b.sign(list, serviceCache, testKey, testSecret, change...)
	}
	stale := signed()
	b.wall.Advance(16 * time.Minute)
	for name, one := range map[string]struct {
		request *http.Request
		status  int
		code    string
	}{
		"no signature":        {must(http.NewRequest(http.MethodPost, b.url+"/", strings.NewReader(list.Encode())))(t), 403, "MissingAuthenticationToken"},
		"a wrong secret":      {b.sign(list, serviceCache, testKey, "another-secret-of-the-tests"), 403, "SignatureDoesNotMatch"},
		"an unknown key":      {b.sign(list, serviceCache, "AKIANOBODY", testSecret), 403, "InvalidClientTokenId"},
		"another service":     {b.sign(list, "s3", testKey, testSecret), 403, "SignatureDoesNotMatch"},
		"the other service":   {b.sign(list, serviceSTS, testKey, testSecret), 403, "SignatureDoesNotMatch"},
		"signed long ago":     {stale, 400, "RequestExpired"},
		"no action":           {b.sign(url.Values{}, serviceCache, testKey, testSecret), 400, "MissingAction"},
		"an unknown action":   {b.sign(form("PurchaseReservedCacheNodesOffering"), serviceCache, testKey, testSecret), 400, "InvalidAction"},
		"an old version":      {b.sign(form("DescribeSnapshots", "Version", "2014-09-30"), serviceCache, testKey, testSecret), 400, "InvalidAction"},
		"another API's":       {b.sign(form("GetCallerIdentity", "Version", stsVersion), serviceCache, testKey, testSecret), 403, "SignatureDoesNotMatch"},
		"a malformed request": {signed(func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "session") }), 403, "InvalidClientTokenId"},
	} {
		status, body := b.deliver(one.request)
		if status != one.status || code(body) != one.code {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if !strings.HasPrefix(body, "<?xml") || !strings.Contains(body, `<ErrorResponse xmlns="http`) || !strings.Contains(body, "<Type>Sender</Type>") || !strings.Contains(body, "</Error><RequestId>") {
			t.Errorf("%s: an answer that clients do not read: %s", name, body)
		}
	}
	if status, body := b.deliver(b.sign(form("GetCallerIdentity", "Version", stsVersion), serviceSTS, testKey, testSecret)); status != 200 ||
		!strings.Contains(body, "<GetCallerIdentityResult><UserId>"+testKey+"</UserId><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/"+testKey+"</Arn>") {
		t.Errorf("caller identity: %d %s", status, body)
	}
	if b.log.Len() > 0 {
		t.Errorf("refusals are not Rekindle's failures:\n%s", b.log)
	}
}

func TestACopiedRequestIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	again := func(r *http.Request, change ...func(*http.Request)) (int, string) {
		body := must(r.GetBody())(t)
		copied := r.Clone(t.Context())
		copied.Body = body
		for _, f := range change {
			f(copied)
		}
		return b.deliver(copied)
	}
	attempt := func(invocation, n string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header["Amz-Sdk-Invocation-Id"], r.Header["Amz-Sdk-Request"] = []string{invocation}, []string{"attempt=" + n}
		}
	}
	// botocore signs neither header, so they are set after signing here.
	look := b.sign(form("DescribeSnapshots"), serviceCache, testKey, testSecret)
	take := b.sign(form("CreateSnapshot", "SnapshotName", "one", "ReplicationGroupId", "orders"), serviceCache, testKey, testSecret)
	must(b.db.Subnets.Create(t.Context(), "nets", "d", []string{"subnet-1"}, nil))(t)
	tag := b.sign(form("AddTagsToResource", "ResourceName", "arn:aws:elasticache:x:123456789012:replicationgroup:orders", "Tags.Tag.1.Key", "k", "Tags.Tag.1.Value", "v"), serviceCache, testKey, testSecret)
	remove := b.sign(form("DeleteCacheSubnetGroup", "CacheSubnetGroupName", "nets"), serviceCache, testKey, testSecret)
	const mismatch = "SignatureDoesNotMatch"
	for _, step := range []struct {
		what   string
		r      *http.Request
		change func(*http.Request)
		pause  time.Duration
		status int
		code   string // of a refusal
	}{
		{"the first look", look, attempt("a", "1"), 0, 200, ""},
		{"a copy of it", look, attempt("a", "1"), 0, 403, mismatch},
		{"another look in the same second", look, attempt("b", "1"), 0, 200, ""},
		{"a look without a number", look, func(*http.Request) {}, 0, 200, ""},
		{"another one", look, func(*http.Request) {}, 0, 200, ""},
		{"a look with a copied signature later", look, attempt("c", "1"), 3 * time.Second, 403, mismatch},
		{"the first change", take, attempt("d", "1"), 0, 200, ""},
		{"a copy of it", take, attempt("d", "1"), 0, 403, mismatch},
		{"its next attempt in the same second", take, attempt("d", "2"), 0, 200, ""},
		{"the same asked for again in the same second", take, attempt("e", "1"), 0, 400, "SnapshotAlreadyExistsFault"},
		{"its signature without a number", take, func(*http.Request) {}, 0, 403, mismatch},
		{"its next attempt much later", take, attempt("d", "3"), 3 * time.Second, 403, mismatch},
		{"the same asked for again much later", take, attempt("f", "1"), 0, 403, mismatch},
		{"tags", tag, attempt("g", "1"), 0, 200, ""},
		{"the same tags in the same second", tag, attempt("h", "1"), 0, 200, ""},
		{"a deletion", remove, attempt("i", "1"), 0, 200, ""},
		{"the same deletion in the same second", remove, attempt("j", "1"), 0, 400, "CacheSubnetGroupNotFoundFault"},
	} {
		b.clock.Advance(step.pause)
		if status, body := again(step.r, step.change); status != step.status || status != 200 && code(body) != step.code {
			t.Errorf("%s: %d %s", step.what, status, body)
		}
	}
	if n := must(b.db.Snapshots.List(t.Context(), models.List{}))(t).Total; n != 1 {
		t.Errorf("%d snapshots", n)
	}
}

func TestAnInvocationActsOnceHoweverOftenItComes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	invoke := func(number string, f url.Values) (int, string) {
		t.Helper()
		b.wall.Advance(time.Second) // another signature
		return b.send(f, func(r *http.Request) { r.Header.Set("Amz-Sdk-Invocation-Id", number) })
	}
	create := form("CreateReplicationGroup", "ReplicationGroupId", "shop", "ReplicationGroupDescription", "d", "CacheNodeType", "cache.t4g.micro")
	for range 3 {
		if status, body := invoke("n1", create); status != 200 || !strings.Contains(body, "<Status>creating</Status>") {
			t.Errorf("create: %d %s", status, body)
		}
	}
	if status, body := invoke("n2", create); status != 400 || code(body) != "ReplicationGroupAlreadyExists" {
		t.Errorf("another invocation: %d %s", status, body)
	}
	// A request that failed changed nothing: it may be tried again.
	take := form("CreateSnapshot", "SnapshotName", "one", "ReplicationGroupId", "shop")
	if status, body := invoke("n3", take); code(body) != "InvalidReplicationGroupState" {
		t.Errorf("while it is created: %d %s", status, body)
	}
	b.settle()
	for range 2 {
		if status, body := invoke("n3", take); status != 200 {
			t.Errorf("once it is available: %d %s", status, body)
		}
	}
	b.settle()
	// A deletion that is repeated when everything is gone still succeeds.
	for range 2 {
		if status, body := invoke("n4", form("DeleteSnapshot", "SnapshotName", "one")); status != 200 || !strings.Contains(body, "<SnapshotStatus>deleting</SnapshotStatus>") {
			t.Errorf("delete: %d %s", status, body)
		}
		if status, body := invoke("n5", form("DeleteReplicationGroup", "ReplicationGroupId", "shop")); status != 200 || !strings.Contains(body, "<Status>deleting</Status>") {
			t.Errorf("delete: %d %s", status, body)
		}
		b.settle()
	}
	runs := must(b.db.Runs.List(t.Context(), models.List{}))(t)
	if runs.Total != 5 { // orders, shop, one, and the two deletions
		t.Errorf("%d runs", runs.Total)
	}
}

func TestTwoAtOnceWithOneInvocationActOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	requests := make([]*http.Request, 8)
	for i := range requests {
		requests[i] = b.sign(form("CreateCacheParameterGroup", "CacheParameterGroupName", "p", "CacheParameterGroupFamily", "redis7", "Description", "d"),
			serviceCache, testKey, testSecret, func(r *http.Request) {
				r.Header.Set("Amz-Sdk-Invocation-Id", "same")
				r.Header.Set("Amz-Sdk-Request", strings.Repeat("x", i+1))
			})
	}
	answers := make(chan string, len(requests))
	for _, r := range requests {
		go func() {
			_, body := b.deliver(r)
			answers <- body
		}()
	}
	for range requests {
		if body := <-answers; !strings.Contains(body, "<CacheParameterGroupName>p</CacheParameterGroupName>") {
			t.Error(body)
		}
	}
}

func TestRolesOfAccessKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	clients := map[models.KeyRole]*sdk.Client{}
	for _, role := range models.KeyRoles() {
		key := must(b.db.Keys.Create(t.Context(), role, "test", "admin"))(t)
		clients[role] = b.client(key.KeyID, key.Secret)
	}
	looks := func(c *sdk.Client) error {
		_, err := c.DescribeReplicationGroups(t.Context(), &sdk.DescribeReplicationGroupsInput{})
		return err
	}
	operates := func(c *sdk.Client) error {
		_, err := c.AddTagsToResource(t.Context(), &sdk.AddTagsToResourceInput{ResourceName: aws.String("arn:aws:elasticache:x:123456789012:replicationgroup:orders"),
			Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
		return err
	}
	destroys := func(c *sdk.Client) error {
		_, err := c.DeleteReplicationGroup(t.Context(), &sdk.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("orders")})
		return err
	}
	for _, one := range []struct {
		role models.KeyRole
		what string
		do   func(*sdk.Client) error
		may  bool
	}{
		{models.RoleRead, "look", looks, true}, {models.RoleRead, "operate", operates, false}, {models.RoleRead, "destroy", destroys, false},
		{models.RoleOperate, "look", looks, true}, {models.RoleOperate, "operate", operates, true}, {models.RoleOperate, "destroy", destroys, false},
		{models.RoleAdminister, "look", looks, true}, {models.RoleAdminister, "operate", operates, true}, {models.RoleAdminister, "destroy", destroys, true},
	} {
		err := one.do(clients[one.role])
		if (err == nil) != one.may || !one.may && errorCode(err) != "AccessDenied" {
			t.Errorf("%s may %s: %v", one.role, one.what, err)
		}
	}
	// A revoked key belongs to nobody.
	keys := must(b.db.Keys.All(t.Context()))(t)
	for _, k := range keys {
		if k.UsedAt == nil && k.KeyID != testKey {
			t.Errorf("the key %s seems never to have been used", k.KeyID)
		}
		must(b.db.Keys.Revoke(t.Context(), k.ID, "admin"))(t)
	}
	if err := looks(clients[models.RoleAdminister]); errorCode(err) != "InvalidClientTokenId" {
		t.Errorf("a revoked key: %v", err)
	}
}

func TestEveryActionIsRefusedToStrangersAndHasARole(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, do := range actionsOf(Config{}) {
		if do.show == nil || do.role == "" || do.service == "" {
			t.Errorf("%s is not complete", name)
		}
		destroying := strings.HasPrefix(name, "Delete")
		if (do.role == models.RoleAdminister) != destroying || (do.role == models.RoleRead) == (do.act != nil) {
			t.Errorf("%s takes the role %s", name, do.role)
		}
		status, body := b.deliver(b.sign(form(name, "Version", do.version()), do.service, testKey, "not-the-secret-of-the-key"))
		if status != 403 || code(body) != "SignatureDoesNotMatch" {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}
