//! The scopes that are not about resources.

/// A scope that is one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plain {
    /// `openid`: an `id_token`.
    OpenId,
    /// `fhirUser`: who the person is, as a FHIR resource, and to read that one.
    FhirUser,
    /// `profile`: the same claim, for clients of plain OpenID Connect.
    Profile,
    /// `launch`: the context in which the EHR launched the app.
    Launch,
    /// `launch/patient`: a patient, chosen at the launch if need be.
    LaunchPatient,
    /// `launch/encounter`: an encounter.
    LaunchEncounter,
    /// `offline_access`: to go on when the person is gone.
    OfflineAccess,
    /// `online_access`: to go on while the person is there.
    OnlineAccess,
}

impl Plain {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::OpenId,
        Self::FhirUser,
        Self::Profile,
        Self::Launch,
        Self::LaunchPatient,
        Self::LaunchEncounter,
        Self::OfflineAccess,
        Self::OnlineAccess,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::FhirUser => "fhirUser",
            Self::Profile => "profile",
            Self::Launch => "launch",
            Self::LaunchPatient => "launch/patient",
            Self::LaunchEncounter => "launch/encounter",
            Self::OfflineAccess => "offline_access",
            Self::OnlineAccess => "online_access",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plain| plain.as_str() == text)
    }
}
