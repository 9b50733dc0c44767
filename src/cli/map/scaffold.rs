//! `throughline map new`: the beginning of a map, with the fields and elements it is about.

use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;
use clap::Args;

use super::load;
use crate::cli::{Context, Outcome};
use crate::mapping::{FieldType, MapSet, Model};

/// The arguments of `map new`.
#[derive(Debug, Args)]
pub(super) struct New {
    /// The kind of record, such as `session_log`
    record: String,
    /// The resource type, such as `Encounter`
    resource: String,
    /// Write `outbound/<record>-<resource>.fml` instead of printing it
    #[arg(long)]
    write: bool,
}

impl New {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let Some(set) = load(context)? else { return Ok(Outcome::Attention) };
        let model = set.model(&self.record);
        let model = model.with_context(|| format!("there is no model of `{}`", self.record))?;
        let text = scaffold(&set, model, &self.resource)?;
        if !self.write {
            write!(context.out, "{text}")?;
            return Ok(Outcome::Done);
        }
        let name = format!("{}.fml", slug(model, &self.resource));
        let path = context.folders.mappings.join("outbound").join(name);
        anyhow::ensure!(!path.exists(), "{} is already there", path.display());
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        writeln!(context.out, "{}", path.display())?;
        Ok(Outcome::Done)
    }
}

/// `session-log-document-reference`
fn slug(model: &Model, resource: &str) -> String {
    let mut slug = model.slug().to_owned();
    for c in resource.chars() {
        if c.is_uppercase() {
            slug.push('-');
        }
        slug.extend(c.to_lowercase());
    }
    slug
}

fn scaffold(set: &MapSet, model: &Model, resource: &str) -> anyhow::Result<String> {
    let elements = set.elements();
    let t = elements.find(resource).and_then(|id| elements.get(id)).filter(|t| t.resource);
    let t = t.with_context(|| format!("`{resource}` is not a resource type that is known here"))?;
    let base = model.url.split("/StructureDefinition/").next().unwrap_or_default();
    let (slug, name) = (slug(model, resource), &model.name);
    let mut text = format!(
        "/// url = '{base}/StructureMap/{slug}'\n/// name = '{name}To{resource}'\n/// status = 'draft'\n\
         /// version = '0.1.0'\n\nuses \"{}\" alias {name} as source\nuses \
         \"http://hl7.org/fhir/StructureDefinition/{resource}\" alias {resource} as target\n\n\
         group {name}To{resource}(source r : {name}, target t : {resource}) {{\n  \
         r.derived as d then {{\n    d.resource_id as v -> t.id = v \"id\";\n  }} \"derived\";\n  r.data as data then Data(data, t) \"data\";\n}}\n\n\
         group Data(source data, target t : {resource}) {{\n",
        model.url
    );
    text.push_str("  // required:\n");
    for element in t.elements.iter().filter(|element| element.required) {
        writeln!(text, "  //   t.{}", element.name)?;
    }
    text.push_str("  // the record has:\n");
    for t in model.types.iter().filter(|t| t.path.starts_with("data")) {
        for field in t.fields.iter().filter(|f| matches!(f.content, FieldType::Primitive(_))) {
            writeln!(text, "  //   {}.{}", t.path, field.name)?;
        }
    }
    text.push_str("}\n");
    Ok(text)
}
