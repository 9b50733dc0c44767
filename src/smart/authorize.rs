//! The authorization request (RFC 6749, 4.1.1; RFC 7636; SMART App Launch 2.2, "obtain
//! authorization code"): everything that can be told before a person is asked.
//!
//! Until the client and its redirect URI are proven, an error stays with us: a redirect to an
//! address that nobody registered would make this server an open redirector.

use url::Url;

use super::client::Client;
use super::decision::{Decision, Event};
use super::fault::{Code, Fault, Refused};
use super::pending::{Asked, Begun};
use super::recency::Recency;
use super::{Authority, Site};
use crate::policy::{Plain, Scopes};

/// The longest value that is kept of a request, in bytes.
const LONGEST: usize = 2 * 1024;
/// The length of a SHA-256 in base64url.
const CHALLENGE: usize = 43;

/// What is answered to an authorization request that is not in order.
#[derive(Debug)]
pub enum Turned {
    /// An error that stays on a page of ours.
    Stays(Fault),
    /// An error that the client is told, by sending the person there.
    Back(String),
    /// Something on our side.
    Failed(crate::error::Error),
}

impl From<crate::error::Error> for Turned {
    fn from(error: crate::error::Error) -> Self {
        Self::Failed(error)
    }
}

/// The parameters of a request: each at most once.
struct Parameters<'a>(&'a [(String, String)]);

impl<'a> Parameters<'a> {
    /// The value of a parameter; an empty one is none (RFC 6749, 3.1).
    fn get(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(Fault::new(Code::InvalidRequest, "a parameter is there twice"));
        }
        match first {
            Some(value) if value.len() > LONGEST && name != "scope" => {
                Err(Fault::new(Code::InvalidRequest, "a parameter is too long"))
            }
            other => Ok(other.filter(|value| !value.is_empty())),
        }
    }
}

impl Authority {
    /// Takes an authorization request in, for a person to decide on.
    pub fn authorize(&self, parameters: &[(String, String)]) -> Result<Begun, Turned> {
        let parameters = Parameters(parameters);
        let site = self.site()?;
        let (client, redirect_uri) = self.proven(&parameters)?;
        let state = parameters.get("state");
        let back = |fault: Fault| {
            let state = state.ok().flatten();
            Turned::Back(answer(
                &redirect_uri,
                site,
                state,
                &[("error", fault.code.as_str()), ("error_description", fault.hint)],
            ))
        };
        let asked = self.asked(site, &client, &redirect_uri, &parameters);
        match asked {
            Ok(asked) => Ok(self.begin(&asked)?),
            Err(Refused::Fault(fault)) => {
                self.saw(&Decision {
                    tenant: Some(client.tenant.as_str()),
                    client: Some(&client.id),
                    error: Some(fault.code),
                    ..Decision::of(Event::Turned)
                })?;
                Err(back(fault))
            }
            Err(Refused::Error(error)) => Err(error.into()),
        }
    }

    /// The client, and the redirect URI, which is one of its own.
    fn proven(&self, parameters: &Parameters<'_>) -> Result<(Client, String), Turned> {
        let unknown = Fault::new(
            Code::InvalidClient,
            "this app is not known here, or it is sent back to an address that is not its own",
        );
        let id = parameters.get("client_id").map_err(Turned::Stays)?;
        let uri = parameters.get("redirect_uri").map_err(Turned::Stays)?;
        let (Some(id), Some(uri)) = (id, uri) else { return Err(Turned::Stays(unknown)) };
        let client = self.clients().get(id)?.ok_or(Turned::Stays(unknown))?;
        // To the letter (RFC 9700, 2.1).
        if client.redirect_uris.iter().any(|known| known == uri) {
            return Ok((client, uri.to_owned()));
        }
        Err(Turned::Stays(unknown))
    }

    fn asked(
        &self,
        site: &Site,
        client: &Client,
        redirect_uri: &str,
        parameters: &Parameters<'_>,
    ) -> Result<Asked, Refused> {
        let invalid = |hint| Fault::new(Code::InvalidRequest, hint);
        let get = |name: &str| parameters.get(name);
        if get("request")?.is_some() {
            return Err(Fault::new(Code::RequestNotSupported, "send parameters instead").into());
        }
        if get("request_uri")?.is_some() {
            return Err(Fault::new(Code::RequestUriNotSupported, "send parameters instead").into());
        }
        match get("response_type")? {
            Some("code") => {}
            None => return Err(invalid("say response_type=code").into()),
            Some(_) => {
                let hint = "the only response_type is code";
                return Err(Fault::new(Code::UnsupportedResponseType, hint).into());
            }
        }
        if get("response_mode")?.is_some_and(|mode| mode != "query") {
            return Err(invalid("the only response_mode is query").into());
        }
        let state = get("state")?.ok_or_else(|| invalid("send a state that nobody can guess"))?;
        let challenge = challenge(parameters)?;
        let aud = get("aud")?.ok_or_else(|| invalid("say with aud which FHIR server is meant"))?;
        if aud.strip_suffix('/').unwrap_or(aud) != site.base {
            return Err(invalid("aud is not this FHIR server").into());
        }
        let wanted = Scopes::parse(get("scope")?.unwrap_or_default());
        let scopes = wanted.offered().within(&client.scopes);
        if scopes.is_empty() {
            let hint = "none of the scopes can be granted to this client";
            return Err(Fault::new(Code::InvalidScope, hint).into());
        }
        let prompt = get("prompt")?;
        let alone = |prompt: &str| !prompt.split(' ').any(|word| word == "none");
        if prompt.is_some_and(|prompt| prompt != "none" && !alone(prompt)) {
            return Err(invalid("prompt=none goes with no other prompt").into());
        }
        let launch = match get("launch")? {
            None if scopes.has(Plain::Launch) => {
                return Err(invalid("the scope launch needs the launch that the EHR gave").into());
            }
            None => None,
            Some(launch) => Some(self.launched(launch, client)?.ok_or_else(|| {
                invalid("the launch is over or was not made for this app: launch it again")
            })?),
        };
        Ok(Asked {
            client: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: state.to_owned(),
            challenge,
            nonce: get("nonce")?.map(str::to_owned),
            prompt: prompt.map(str::to_owned),
            recency: Recency::of(prompt, get("max_age")?, self.now())?,
            login_hint: get("login_hint")?.map(str::to_owned),
            scopes: scopes.to_string(),
            launch,
        })
    }
}

/// The challenge of RFC 7636, by SHA-256: `plain` would show the verifier to whoever sees the URL.
fn challenge(parameters: &Parameters<'_>) -> Result<String, Fault> {
    let wanted = Fault::new(
        Code::InvalidRequest,
        "send a code_challenge with code_challenge_method=S256 (RFC 7636)",
    );
    if parameters.get("code_challenge_method")? != Some("S256") {
        return Err(wanted);
    }
    let challenge = parameters.get("code_challenge")?.ok_or(wanted)?;
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != CHALLENGE || !challenge.bytes().all(is_base64url) {
        return Err(wanted);
    }
    Ok(challenge.to_owned())
}

/// Where a person is sent back to, with what the client is told: always with the state and with who
/// says so (RFC 9207).
pub(super) fn answer(
    redirect_uri: &str,
    site: &Site,
    state: Option<&str>,
    told: &[(&str, &str)],
) -> String {
    // It was one when the client was registered.
    let Ok(mut url) = Url::parse(redirect_uri) else { return redirect_uri.to_owned() };
    {
        let mut pairs = url.query_pairs_mut();
        pairs.extend_pairs(told);
        if let Some(state) = state {
            pairs.append_pair("state", state);
        }
        pairs.append_pair("iss", &site.issuer);
    }
    url.into()
}
