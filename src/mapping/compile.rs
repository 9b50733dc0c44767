//! Compiles one map to a plan: names to slots, groups to the types they are called with, and
//! every departure from the model or the R4 element table to a diagnostic.

mod extend;
mod fhirtype;
mod rule;
mod shape;
mod transform;

use std::collections::HashMap;
use std::sync::Arc;

use super::codes::CodeTable;
use super::diagnostic::{Diagnostics, Place, did_you_mean};
use super::fml::{self, File, Name, Span};
use super::model::{FieldType, Model};
use super::path::{self, Variable};
use super::plan::{Group, Plan, Row, Rule, Shape};
use crate::fhir::r4::Elements;

/// Everything that maps refer to.
pub(crate) struct Library<'a> {
    pub elements: &'a Elements,
    pub models: &'a [Model],
    pub tables: &'a HashMap<String, Arc<CodeTable>>,
    pub files: &'a [File],
}

/// Deeper nesting of calls and shapes is refused.
const MAX_GROUPS: usize = 500;

/// What a variable of a map is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Source { slot: usize, content: FieldType },
    Target { slot: usize, shape: usize },
}

/// The types with which a group is compiled: the file, the group, and each argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Instance {
    file: usize,
    group: usize,
    sources: Vec<FieldType>,
    targets: Vec<usize>,
}

/// The variables of a group and what they count up to.
#[derive(Default)]
struct Frame {
    variables: Vec<(String, Bound)>,
    /// The path of each source variable, for people.
    paths: HashMap<usize, String>,
    /// The codes that each source variable may hold, where the model says.
    codes: HashMap<usize, Arc<[Box<str>]>>,
    /// The path of each target variable, for people.
    target_paths: HashMap<usize, String>,
    /// The names that what is wrong would have given: whoever uses one is told nothing more.
    missing: Vec<String>,
    /// How many target variables there were before the current rule.
    rule_targets: usize,
    sources: usize,
    targets: usize,
}

impl path::Scope for Frame {
    fn source(&self, name: &str) -> Option<Variable> {
        match self.get(name)? {
            Bound::Source { slot, content } => Some(Variable { slot, content }),
            Bound::Target { .. } => None,
        }
    }
}

impl Frame {
    fn get(&self, name: &str) -> Option<Bound> {
        self.variables.iter().rev().find(|(known, _)| known == name).map(|(_, bound)| *bound)
    }

    fn add_source(&mut self, name: Option<&str>, content: FieldType, path: String) -> usize {
        let slot = self.sources;
        self.sources += 1;
        self.paths.insert(slot, path);
        if let Some(name) = name {
            self.variables.push((name.to_owned(), Bound::Source { slot, content }));
        }
        slot
    }

    fn add_target(&mut self, name: &str, shape: usize) -> usize {
        let slot = self.targets;
        self.targets += 1;
        self.variables.push((name.to_owned(), Bound::Target { slot, shape }));
        slot
    }
}

/// A plan and the fields of its model that it reads.
pub(crate) struct Compiled {
    pub plan: Plan,
    pub reads: Vec<(usize, usize)>,
}

/// Compiles the map whose entry is the first group of a file.
pub(crate) fn compile(
    library: &Library<'_>,
    file: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Compiled> {
    let entry = library.files.get(file)?;
    let errors = diagnostics.errors();
    let Some(group) = entry.groups.first() else {
        diagnostics.file("MAP003", &entry.source.path, "the map has no group");
        return None;
    };
    let mut compiler = Compiler {
        library,
        diagnostics,
        file,
        model: 0,
        instances: HashMap::new(),
        groups: Vec::new(),
        shapes: Vec::new(),
        shape_places: Vec::new(),
        places: Vec::new(),
        rows: Vec::new(),
        used: Vec::new(),
        reads: Vec::new(),
        errors,
    };
    let (model, shape) = compiler.entry(group)?;
    compiler.model = model;
    compiler.group_instance(&Instance {
        file,
        group: 0,
        sources: vec![FieldType::Object(0)],
        targets: vec![shape],
    });
    compiler.finish_shapes();
    let resource = compiler.shapes.first().map(|s| s.name.clone()).unwrap_or_default();
    let plan = Plan {
        canonical: format!("{}|{}", entry.url, entry.version),
        slug: entry.url.rsplit('/').next().unwrap_or_default().to_owned(),
        version: entry.version.clone(),
        file: entry.source.path.clone(),
        model,
        resource,
        groups: compiler.groups,
        shapes: compiler.shapes,
        places: compiler.places,
        rows: compiler.rows,
        tables: compiler.used,
    };
    Some(Compiled { plan, reads: compiler.reads })
}

struct Compiler<'a, 'd> {
    library: &'a Library<'a>,
    diagnostics: &'d mut Diagnostics,
    /// The file of the group that is being compiled.
    file: usize,
    model: usize,
    instances: HashMap<Instance, usize>,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
    /// Where each shape was first made.
    shape_places: Vec<Place>,
    places: Vec<String>,
    rows: Vec<Row>,
    used: Vec<Arc<CodeTable>>,
    reads: Vec<(usize, usize)>,
    /// How many errors there were before this map.
    errors: usize,
}

impl<'a> Compiler<'a, '_> {
    fn file(&self) -> Option<&'a File> {
        self.library.files.get(self.file)
    }

    fn model(&self) -> Option<&'a Model> {
        self.library.models.get(self.model)
    }

    fn place(&self, span: &Span) -> Place {
        let source = self.file().map(|file| Arc::clone(&file.source));
        let source = source.unwrap_or_else(|| {
            Arc::new(super::diagnostic::SourceText { path: String::new(), text: String::new() })
        });
        Place { source, span: span.clone() }
    }

    fn error(&mut self, code: &'static str, span: &Span, message: impl Into<String>) {
        let place = self.place(span);
        self.diagnostics.error(code, &place, message);
    }

    fn error_help(
        &mut self,
        code: &'static str,
        span: &Span,
        message: String,
        help: Option<String>,
    ) {
        let place = self.place(span);
        self.diagnostics.error_help(code, &place, message, help);
    }

    /// The model and the target shape of the entry group.
    fn entry(&mut self, group: &fml::Group) -> Option<(usize, usize)> {
        let (source, target) = match group.params.as_slice() {
            [source, target] if source.source && !target.source => (source, target),
            _ => {
                let message = "the first group takes one source and one target, both with a type";
                self.error("MAP107", &group.name.span, message);
                return None;
            }
        };
        let (Some(source_type), Some(target_type)) = (&source.type_name, &target.type_name) else {
            self.error("MAP107", &group.name.span, "the parameters of the first group need types");
            return None;
        };
        let model = self.model_of(source_type);
        let target = self.type_of(target_type);
        let (model, target) = (model?, target?);
        let place = self.place(&target_type.span);
        let shape = self.shape_of_type(target, &place);
        Some((model, shape))
    }

    /// The model that a type name means in this file.
    fn model_of(&mut self, name: &Name) -> Option<usize> {
        let url = self.url_of(&name.text);
        let models = self.library.models;
        let found =
            models.iter().position(|m| url.as_deref().map_or(m.name == name.text, |u| m.url == u));
        if found.is_none() {
            let help = did_you_mean(&name.text, models.iter().map(|m| m.name.as_str()));
            let message = format!("there is no model `{}` in models/", name.text);
            self.error_help("MAP105", &name.span, message, help);
        }
        found
    }

    /// The URL that a `uses … alias` gives to a name.
    fn url_of(&self, name: &str) -> Option<String> {
        let uses = self.file()?.uses.iter().find(|uses| {
            uses.alias.as_deref() == Some(name) || uses.url.text.rsplit('/').next() == Some(name)
        })?;
        Some(uses.url.text.clone())
    }

    /// The group of a name, in this file or in those it imports.
    fn find_group(&self, name: &str) -> Option<(usize, usize)> {
        let within = |file: usize| {
            let groups = &self.library.files.get(file)?.groups;
            groups.iter().position(|g| g.name.text == name).map(|group| (file, group))
        };
        within(self.file).or_else(|| {
            let mut seen = vec![self.file];
            let mut next = 0;
            while let Some(file) = seen.get(next).copied() {
                next += 1;
                for import in self.imports(file) {
                    if let Some(found) = within(import) {
                        return Some(found);
                    }
                    if !seen.contains(&import) {
                        seen.push(import);
                    }
                }
            }
            None
        })
    }

    fn imports(&self, file: usize) -> Vec<usize> {
        let Some(file) = self.library.files.get(file) else { return Vec::new() };
        let files = self.library.files.iter().enumerate();
        files
            .filter(|(_, other)| file.imports.iter().any(|i| imported(&i.text, &other.url)))
            .map(|(index, _)| index)
            .collect()
    }

    /// Names of groups that can be called from here.
    fn group_names(&self) -> Vec<String> {
        let mut files = vec![self.file];
        files.extend(self.imports(self.file));
        let files = files.into_iter().filter_map(|file| self.library.files.get(file));
        files.flat_map(|file| file.groups.iter().map(|g| g.name.text.clone())).collect()
    }

    /// The group compiled for these types; made when it is first asked for.
    fn group_instance(&mut self, instance: &Instance) -> usize {
        if let Some(known) = self.instances.get(instance) {
            return *known;
        }
        let index = self.groups.len();
        self.groups.push(Group::default());
        self.instances.insert(instance.clone(), index);
        let caller = std::mem::replace(&mut self.file, instance.file);
        let group = self.file().and_then(|file| file.groups.get(instance.group));
        if let Some(group) = group
            && index < MAX_GROUPS
        {
            let mut frame = Frame::default();
            let (mut sources, mut targets) = (instance.sources.iter(), instance.targets.iter());
            for param in &group.params {
                if param.source {
                    let Some(content) = sources.next() else { continue };
                    let path = self.content_path(*content, &param.name.text);
                    frame.add_source(Some(&param.name.text), *content, path);
                } else if let Some(shape) = targets.next() {
                    let slot = frame.add_target(&param.name.text, *shape);
                    let name = self.shapes.get(*shape).map(|shape| shape.name.clone());
                    frame.target_paths.insert(slot, name.unwrap_or_default());
                }
            }
            let mut rules: Vec<Rule> = self.extended(group, &frame).into_iter().collect();
            rules.extend(self.rules(&group.rules, &mut frame));
            let compiled = Group { sources: frame.sources, targets: frame.targets, rules };
            if let Some(place) = self.groups.get_mut(index) {
                *place = compiled;
            }
        }
        self.file = caller;
        index
    }

    /// The path of an object type from the record's root, for people.
    fn content_path(&self, content: FieldType, otherwise: &str) -> String {
        match content {
            FieldType::Object(object) => {
                self.model().and_then(|m| m.types.get(object)).map(|t| t.path.clone())
            }
            FieldType::Primitive(_) => None,
        }
        .unwrap_or_else(|| otherwise.to_owned())
    }
}

fn imported(import: &str, url: &str) -> bool {
    match import.strip_suffix('*') {
        Some(prefix) => url.starts_with(prefix),
        None => import == url,
    }
}
