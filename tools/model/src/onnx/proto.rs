//! The messages of ONNX that an exported model uses, and of these the fields. Source: `onnx.proto3` of ONNX 1.17 (IR version 10); readers skip what
//! is not there.

use prost::{Message, Oneof};

/// IR version of `onnx.proto3` that has everything below.
pub(super) const IR_VERSION: i64 = 10;

/// `TensorProto.DataType`.
pub(super) const UINT8: i32 = 2;
pub(super) const INT64: i32 = 7;
pub(super) const STRING: i32 = 8;
pub(super) const DOUBLE: i32 = 11;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    #[prost(string, tag = "3")]
    pub(super) producer_version: String,
    #[prost(string, tag = "6")]
    pub(super) doc_string: String,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "14")]
    pub(super) metadata_props: Vec<Property>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Property {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(int64, tag = "3")]
    pub(super) i: i64,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<Tensor>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
    #[prost(string, repeated, tag = "9")]
    pub(super) strings: Vec<String>,
    /// `AttributeProto.AttributeType`: which of the fields is meant.
    #[prost(int32, tag = "20")]
    pub(super) kind: i32,
}

impl Attribute {
    pub(super) fn int(name: &str, i: i64) -> Attribute {
        Attribute { name: name.to_owned(), i, kind: 2, ..Attribute::default() }
    }

    pub(super) fn tensor(name: &str, tensor: Tensor) -> Attribute {
        Attribute { name: name.to_owned(), t: Some(tensor), kind: 4, ..Attribute::default() }
    }

    pub(super) fn ints(name: &str, ints: Vec<i64>) -> Attribute {
        Attribute { name: name.to_owned(), ints, kind: 7, ..Attribute::default() }
    }

    pub(super) fn strings(name: &str, strings: Vec<String>) -> Attribute {
        Attribute { name: name.to_owned(), strings, kind: 8, ..Attribute::default() }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32_data: Vec<i32>,
    #[prost(string, repeated, tag = "6")]
    pub(super) string_data: Vec<String>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(double, repeated, tag = "10")]
    pub(super) double_data: Vec<f64>,
}

impl Tensor {
    pub(super) fn doubles(dims: &[usize], double_data: Vec<f64>) -> Tensor {
        Tensor { dims: lengths(dims), data_type: DOUBLE, double_data, ..Tensor::default() }
    }

    pub(super) fn int64s(int64_data: Vec<i64>) -> Tensor {
        Tensor { dims: lengths(&[int64_data.len()]), data_type: INT64, int64_data, ..Tensor::default() }
    }

    /// Small whole numbers; the format keeps them in a list of larger ones.
    pub(super) fn bytes(int32_data: Vec<i32>) -> Tensor {
        Tensor { dims: lengths(&[int32_data.len()]), data_type: UINT8, int32_data, ..Tensor::default() }
    }

    pub(super) fn strings(string_data: Vec<String>) -> Tensor {
        Tensor { dims: lengths(&[string_data.len()]), data_type: STRING, string_data, ..Tensor::default() }
    }
}

fn lengths(dims: &[usize]) -> Vec<i64> {
    dims.iter().map(|length| *length as i64).collect()
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) kind: Option<Type>,
    #[prost(string, tag = "3")]
    pub(super) doc_string: String,
}

impl ValueInfo {
    /// A matrix with as many rows as there are, and so many columns.
    pub(super) fn matrix(name: &str, elem_type: i32, columns: usize, doc_string: String) -> ValueInfo {
        let rows = Dimension { value: Some(Length::Named("rows".to_owned())) };
        let columns = Dimension { value: Some(Length::Known(columns as i64)) };
        let shape = Some(Shape { dim: vec![rows, columns] });
        let kind = Some(Type { tensor: Some(TensorType { elem_type, shape }) });
        ValueInfo { name: name.to_owned(), kind, doc_string }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Type {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Dimension {
    #[prost(oneof = "Length", tags = "1, 2")]
    pub(super) value: Option<Length>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Length {
    #[prost(int64, tag = "1")]
    Known(i64),
    #[prost(string, tag = "2")]
    Named(String),
}
