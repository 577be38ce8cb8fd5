//! An image layout with one component in it: a folder that tools copy to a registry.
//!
//! | document | what it says |
//! |---|---|
//! | OCI image specification 1.1, `image-layout.md` and `manifest.md` | the files, and how they refer to each other |
//! | CNCF TAG Runtime, Wasm OCI artifact layout | the media types, and the configuration of a component |

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use oci_spec::image::{
    ANNOTATION_CREATED, ANNOTATION_LICENSES, ANNOTATION_REF_NAME, ANNOTATION_REVISION, ANNOTATION_TITLE,
    ANNOTATION_VERSION, Descriptor, DescriptorBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType,
    OciLayoutBuilder, SCHEMA_VERSION, Sha256Digest,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wit_component::DecodedWasm;

use crate::{Options, Result, named};

/// Media type of the configuration of a component.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// Media type of a component.
const WASM: &str = "application/wasm";

/// Writes `component` into `folder`, in place of what was there.
pub(crate) fn write(folder: &Path, component: &[u8], created: SystemTime, options: &Options) -> Result<()> {
    if named(folder, folder.try_exists())? {
        named(folder, fs::remove_dir_all(folder))?;
    }
    let blobs = folder.join("blobs/sha256");
    named(&blobs, fs::create_dir_all(&blobs))?;
    let created = humantime::format_rfc3339_seconds(created).to_string();
    let mut layer = blob(&blobs, WASM, component)?;
    let config = configuration(component, &created, &layer)?;
    // By it tools know under which name to leave the file.
    layer.set_annotations(Some(
        [(ANNOTATION_TITLE.to_owned(), crate::COMPONENT.to_owned())].into(),
    ));
    let annotations = [
        (ANNOTATION_CREATED, created.as_str()),
        (ANNOTATION_LICENSES, env!("CARGO_PKG_LICENSE")),
        (ANNOTATION_REVISION, &options.commit_sha),
        (ANNOTATION_TITLE, "status-app"),
        (ANNOTATION_VERSION, &options.app_version),
    ];
    let annotations: HashMap<_, _> = annotations
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(blob(&blobs, CONFIG, &bytes(&config)?)?)
        .layers([layer])
        .annotations(annotations)
        .build()?;
    let mut manifest = blob(&blobs, MediaType::ImageManifest, &bytes(&manifest)?)?;
    manifest.set_annotations(Some(
        [(ANNOTATION_REF_NAME.to_owned(), options.app_version.clone())].into(),
    ));
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests([manifest])
        .build()?;
    file(&folder.join("index.json"), &bytes(&index)?)?;
    let version = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
    file(&folder.join("oci-layout"), &bytes(&version)?)
}

/// What runtimes read before they fetch `component`, which lies in `layer`.
fn configuration(component: &[u8], created: &str, layer: &Descriptor) -> Result<Value> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        return Err("what was built is no component".into());
    };
    let world = resolve.worlds.get(world).ok_or("the component has no world")?;
    let imports: Vec<_> = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    let exports: Vec<_> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    Ok(json!({
        "created": created,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [layer.digest()],
        "component": {"imports": imports, "exports": exports},
    }))
}

/// Leaves `content` in the folder `blobs` under its digest.
fn blob(blobs: &Path, media_type: impl Into<MediaType>, content: &[u8]) -> Result<Descriptor> {
    let digest = format!("{:x}", Sha256::digest(content));
    file(&blobs.join(&digest), content)?;
    let descriptor = DescriptorBuilder::default()
        .media_type(media_type)
        .digest(digest.parse::<Sha256Digest>()?)
        .size(u64::try_from(content.len())?)
        .build()?;
    Ok(descriptor)
}

fn file(path: &Path, content: &[u8]) -> Result<()> {
    named(path, fs::write(path, content))
}

/// JSON whose keys have an order.
fn bytes(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&serde_json::to_value(value)?)?)
}
