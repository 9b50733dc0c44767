//! Target types by name.

use super::Compiler;
use crate::fhir::r4::TypeId;
use crate::mapping::diagnostic::did_you_mean;
use crate::mapping::fml::Name;

const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

impl Compiler<'_, '_> {
    /// The R4 type that a name means in this file.
    pub(super) fn type_of(&mut self, name: &Name) -> Option<TypeId> {
        let url = self.url_of(&name.text);
        let known = url.as_deref().map_or(Some(name.text.as_str()), |url| url.strip_prefix(CORE));
        let found = known.and_then(|known| self.library.elements.find(known));
        if found.is_none() {
            let names = self.library.elements.names().filter(|name| !name.contains('.'));
            let help = did_you_mean(&name.text, names);
            let message = format!("`{}` is not an R4 type that is known here", name.text);
            self.error_help("MAP105", &name.span, message, help);
        }
        found
    }
}
