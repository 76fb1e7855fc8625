//! How a request of the SDK's gets to CloudWatch: over a connection of its own, with TLS by rustls and ring.
//!
//! In place of `aws-smithy-http-client`, whose HTTP/2, pool and proxies are a fifth of the program and are
//! never used here. hyper is there for the Extensions API already.

use super::awake::AwakeSleep;
use aws_sdk_cloudwatch::config::http::HttpRequest;
use aws_sdk_cloudwatch::config::{AsyncSleep, HttpClient, RuntimeComponents};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

/// How long the addresses of one family are tried before those of the other are, too.
const OTHER_FAMILY_AFTER: Duration = Duration::from_millis(250);

/// There was no connection: nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("no connection: {0}")]
pub(super) struct Unconnected(#[source] io::Error);

/// Makes a connection for each request. Between two there is a freeze as a rule, and one that was kept may be
/// dead after it: then nobody could know whether the request on it was taken.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    tls: Arc<ClientConfig>,
    time_to_connect: Duration,
}

impl Transport {
    /// With the certificates that the system trusts, which are read here. A connection, with the lookup of the
    /// name and TLS, may take that much time awake.
    #[allow(
        clippy::expect_used,
        reason = "it fails only for a version without a suite, and ring has some for each"
    )]
    pub(super) fn new(time_to_connect: Duration) -> Self {
        let mut roots = RootCertStore::empty();
        // Without any, each connection ends in a certificate that is not trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("ring has suites for every version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Arc::new(tls), time_to_connect }
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?;
        let (mut parts, body) = request.into_parts();
        // The SDK keeps what it sends in memory; only a stream of somebody's own is not there.
        let body =
            body.bytes().ok_or_else(|| ConnectorError::user("a body that is not there".into()))?;
        let body = Full::new(Bytes::copy_from_slice(body));
        let uri = std::mem::take(&mut parts.uri);
        let (host, path) =
            host_and_path(&uri).ok_or_else(|| ConnectorError::user("no host".into()))?;
        parts.headers.entry(HOST).or_insert(host);
        parts.uri = path;
        let connect = self.connect(&uri);
        let connected = tokio::select! {
            biased;
            connected = connect => connected,
            () = AwakeSleep.sleep(self.time_to_connect) => Err(io::ErrorKind::TimedOut.into()),
        };
        let mut connection = connected.map_err(|e| ConnectorError::io(Unconnected(e).into()))?;
        let answer = connection.send_request(Request::from_parts(parts, body)).await;
        let answer = answer.map_err(|e| ConnectorError::io(e.into()))?;
        let answer = answer.map(SdkBody::from_body_1_x);
        HttpResponse::try_from(answer).map_err(|e| ConnectorError::other(e.into(), None))
    }

    async fn connect(&self, uri: &Uri) -> io::Result<SendRequest<Full<Bytes>>> {
        let name = uri.host().unwrap_or_default();
        // As IPv6 addresses stand in a URI.
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let is_tls = uri.scheme_str() != Some("http");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let addresses: Vec<SocketAddr> = lookup_host((name, port)).await?.collect();
        let stream = connect_to_any(addresses).await?;
        // One request, in one or two packets. Only a matter of speed.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = if is_tls {
            let name = ServerName::try_from(name.to_owned())
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await?;
            Box::new(TokioIo::new(stream))
        } else {
            Box::new(TokioIo::new(stream))
        };
        let (sender, connection) = handshake(stream).await.map_err(io::Error::other)?;
        // It ends with the answer; its error also reaches the request.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// One type for both, so that the code that speaks HTTP on it is there once.
trait Stream: Read + Write + Send + Unpin {}
impl<T: Read + Write + Send + Unpin> Stream for T {}

/// The first connection there is: where the addresses of one family lead nowhere, those of the other are not
/// waited with until all time is over.
async fn connect_to_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    if other.is_empty() {
        return TcpStream::connect(first.as_slice()).await;
    }
    let other = async {
        tokio::time::sleep(OTHER_FAMILY_AFTER).await;
        TcpStream::connect(other.as_slice()).await
    };
    tokio::select! {
        Ok(stream) = TcpStream::connect(first.as_slice()) => Ok(stream),
        Ok(stream) = other => Ok(stream),
        else => Err(io::ErrorKind::HostUnreachable.into()),
    }
}

/// The `Host` header, without the port where it is the scheme's own, as it is signed; and the path with its
/// query, which alone stands in a request that goes to no proxy.
fn host_and_path(uri: &Uri) -> Option<(HeaderValue, Uri)> {
    let authority = uri.authority()?;
    let own_port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let host = match authority.port_u16() {
        Some(port) if port != own_port => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some((HeaderValue::try_from(host).ok()?, path.parse().ok()?))
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
    }
}

impl HttpClient for Transport {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use tokio::net::TcpListener;

    #[test]
    fn the_host_is_named_as_it_is_signed_and_the_path_goes_without_it() {
        for (uri, host, path) in [
            (
                "https://monitoring.eu-west-1.amazonaws.com/a?b=c",
                "monitoring.eu-west-1.amazonaws.com",
                "/a?b=c",
            ),
            (
                "https://monitoring.eu-west-1.amazonaws.com:443",
                "monitoring.eu-west-1.amazonaws.com",
                "/",
            ),
            ("http://127.0.0.1:80/a", "127.0.0.1", "/a"),
            ("http://127.0.0.1:443/a", "127.0.0.1:443", "/a"),
            ("https://[::1]:4566/a/", "[::1]:4566", "/a/"),
        ] {
            let uri: Uri = uri.parse().unwrap();
            let found = host_and_path(&uri).unwrap();
            assert_eq!((found.0.to_str().unwrap(), found.1.to_string().as_str()), (host, path));
        }
        assert!(host_and_path(&"/a".parse().unwrap()).is_none());
    }

    /// A port of this machine that nobody listens on, and one that somebody does.
    async fn ports() -> (u16, TcpListener) {
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        (closed.local_addr().unwrap().port(), open)
    }

    #[tokio::test]
    async fn where_one_family_leads_nowhere_the_other_is_used() {
        let (closed, listener) = ports().await;
        let open = listener.local_addr().unwrap();
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, closed));
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, closed));
        for addresses in
            [vec![open], vec![v4, open], vec![v6, open], vec![v6, v4, open], vec![open, v6]]
        {
            let stream = connect_to_any(addresses.clone()).await;
            assert_eq!(stream.unwrap().peer_addr().unwrap(), open, "{addresses:?}");
        }
        for addresses in [vec![], vec![v4], vec![v6], vec![v6, v4]] {
            connect_to_any(addresses).await.unwrap_err();
        }
    }
}
