//! The settings of other providers to sign in with (OpenID Connect). Each setting is checked, and a provider needs all.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

use super::{Settings, SettingsError, settings::unless_blank};

const ID_CHARACTERS: usize = 32;
const NAME_CHARACTERS: usize = 100;

/// The settings of one provider. In a compose file, a blank value means "not set".
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    #[serde(default, deserialize_with = "unless_blank")]
    pub issuer: Option<String>,
    #[serde(default, deserialize_with = "unless_blank")]
    pub client_id: Option<String>,
    #[serde(default, deserialize_with = "unless_blank")]
    pub client_secret: Option<SecretString>,
    #[serde(default, deserialize_with = "unless_blank")]
    pub name: Option<String>,
}

/// A provider whose settings are complete and usable.
#[derive(Debug, Clone)]
pub struct OidcProvider {
    pub id: String,
    /// Exactly as it was set, because the provider's own issuer must equal it character by character.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: SecretString,
    /// The name that people see.
    pub name: String,
}

impl Settings {
    /// The providers, by their ids. A provider without any setting is left out.
    ///
    /// # Errors
    /// Names the key of the setting that cannot be used.
    pub fn oidc_providers(&self) -> Result<Vec<OidcProvider>, SettingsError> {
        self.oidc.iter().filter_map(|(id, settings)| settings.provider(id).transpose()).collect()
    }

    /// `address` is where the server listens. Clients reach it there, unless `public_url` says otherwise.
    ///
    /// # Errors
    /// Names the key of the setting that cannot be used.
    pub(super) fn check_oidc(&self, address: IpAddr) -> Result<(), SettingsError> {
        let wrong = |key: &str, reason: &str| Err(SettingsError(format!("{key}: {reason}")));
        let has_providers = !self.oidc_providers()?.is_empty();
        match &self.public_url {
            Some(text) if !is_public_url(text) => {
                return wrong(
                    "public_url",
                    "must be https://host[:port] without a path; http:// only on loopback",
                );
            }
            None if has_providers && !address.is_loopback() => {
                return wrong("public_url", "is required with oidc.* unless address is a loopback address");
            }
            _ => {}
        }
        if !self.oidc_return_to.iter().all(|text| is_return_address(text)) {
            return wrong(
                "oidc_return_to",
                "each must be https://…, http:// on loopback, or a private-use scheme as in com.example.app:/sign-in, \
                 without a fragment",
            );
        }
        Ok(())
    }
}

impl OidcSettings {
    fn provider(&self, id: &str) -> Result<Option<OidcProvider>, SettingsError> {
        let wrong = |key: &str, reason: &str| SettingsError(format!("oidc.{id}{key}: {reason}"));
        let of_an_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(1..=ID_CHARACTERS).contains(&id.len()) || !id.bytes().all(of_an_id) {
            return Err(wrong("", "the id must have 1 to 32 characters from a to z and 0 to 9"));
        }
        let given = [
            self.issuer.is_some(),
            self.client_id.is_some(),
            self.client_secret.is_some(),
            self.name.is_some(),
        ];
        if given == [false; 4] {
            return Ok(None);
        }
        let missing =
            |key| wrong(key, "is required: a provider needs issuer, client_id, client_secret and name");
        let issuer = self.issuer.as_ref().ok_or_else(|| missing(".issuer"))?;
        let client_id = self.client_id.as_ref().ok_or_else(|| missing(".client_id"))?;
        let client_secret = self.client_secret.as_ref().ok_or_else(|| missing(".client_secret"))?;
        let name = self.name.as_ref().ok_or_else(|| missing(".name"))?;
        if !is_issuer(issuer) {
            let reason = "must be https://… without a query and a fragment; http:// only on loopback";
            return Err(wrong(".issuer", reason));
        }
        // RFC 6749, appendix A: both have only visible characters and spaces.
        for (key, text) in
            [(".client_id", client_id.as_str()), (".client_secret", client_secret.expose_secret())]
        {
            if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                return Err(wrong(key, "must have only visible ASCII characters and spaces"));
            }
        }
        let has_control = name.chars().any(char::is_control);
        if name.trim().is_empty() || name.chars().count() > NAME_CHARACTERS || has_control {
            return Err(wrong(".name", "must have 1 to 100 characters and no control characters"));
        }
        Ok(Some(OidcProvider {
            id: id.to_owned(),
            issuer: issuer.clone(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            name: name.trim().to_owned(),
        }))
    }
}

/// Whether the host is this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `https`, or `http` on loopback; without a user and a password.
#[must_use]
pub fn is_safe(url: &Url) -> bool {
    let is_encrypted = url.scheme() == "https" && url.host().is_some();
    let is_here = url.scheme() == "http" && is_loopback(url);
    (is_encrypted || is_here) && url.username().is_empty() && url.password().is_none()
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_issuer(text: &str) -> bool {
    is_plain(text)
        && Url::parse(text)
            .is_ok_and(|url| is_safe(&url) && url.query().is_none() && url.fragment().is_none())
}

fn is_public_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let rest = (url.path(), url.query(), url.fragment());
        is_safe(&url) && rest == ("/", None, None)
    })
}

fn is_return_address(text: &str) -> bool {
    // A header's value begins with this address, and the server adds a fragment.
    if !is_plain(text) || text.contains('#') {
        return false;
    }
    Url::parse(text).is_ok_and(|url| match url.scheme() {
        "http" | "https" => is_safe(&url),
        // RFC 8252, section 7.1: a domain name in reverse order. So it has a dot, and is not `javascript`.
        scheme => scheme.contains('.'),
    })
}
