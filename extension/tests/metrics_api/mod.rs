//! CloudWatch's PutMetricData, as far as the extension calls it: takes all metrics and adds them up.

use crate::stand_in::read_message;
use minicbor::Decoder;
use minicbor::data::Type;
use minicbor::decode::Error;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// By name: the sum of its values.
pub(crate) type Sums = BTreeMap<String, f64>;

/// A running server. It lives as long as the test process.
pub(crate) struct MetricsApi {
    address: SocketAddr,
    taken: Arc<Mutex<Sums>>,
}

impl MetricsApi {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Sums>>::default();
        let sums = taken.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let sums = sums.clone();
                std::thread::spawn(move || serve(&stream.unwrap(), &sums));
            }
        });
        Self { address, taken }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has taken of the metrics of all functions, which have no dimension.
    pub(crate) fn taken(&self) -> Sums {
        self.taken.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, sums: &Mutex<Sums>) {
    let mut reader = BufReader::new(stream);
    while let Some((request, _, body)) = read_message(&mut reader) {
        assert!(request.contains("/operation/PutMetricData"), "{request}");
        let body = value(&mut Decoder::new(&body)).unwrap();
        for datum in body["MetricData"].as_array().unwrap() {
            if datum["Dimensions"].as_array().is_some_and(|dimensions| !dimensions.is_empty()) {
                continue;
            }
            let numbers = |name: &str| {
                let numbers = datum[name].as_array().unwrap().iter();
                numbers.map(|number| number.as_f64().unwrap()).collect::<Vec<_>>()
            };
            let counted = numbers("Values").into_iter().zip(numbers("Counts"));
            let name = datum["MetricName"].as_str().unwrap().to_owned();
            let sum: f64 = counted.map(|(value, count)| value * count).sum();
            *sums.lock().unwrap().entry(name).or_default() += sum;
        }
        // An empty map.
        let answer = b"HTTP/1.1 200 OK\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\ncontent-length: 1\r\n\r\n\xa0";
        if (&mut &*stream).write_all(answer).is_err() {
            return;
        }
    }
}

/// The next value of CBOR, as JSON has it.
fn value(decoder: &mut Decoder<'_>) -> Result<Value, Error> {
    // Of one without a length, the end is a value of its own.
    let is_over = |decoder: &mut Decoder<'_>, read: u64, length: Option<u64>| match length {
        Some(length) => Ok(read == length),
        None if decoder.datatype()? == Type::Break => decoder.skip().map(|()| true),
        None => Ok(false),
    };
    match decoder.datatype()? {
        Type::Map | Type::MapIndef => {
            let (length, mut map) = (decoder.map()?, Map::new());
            while !is_over(decoder, map.len() as u64, length)? {
                map.insert(decoder.str()?.to_owned(), value(decoder)?);
            }
            Ok(map.into())
        }
        Type::Array | Type::ArrayIndef => {
            let (length, mut items) = (decoder.array()?, Vec::new());
            while !is_over(decoder, items.len() as u64, length)? {
                items.push(value(decoder)?);
            }
            Ok(items.into())
        }
        Type::String => Ok(decoder.str()?.into()),
        Type::F32 => Ok(decoder.f32()?.into()),
        Type::F64 => Ok(decoder.f64()?.into()),
        // A time.
        Type::Tag => {
            decoder.tag()?;
            value(decoder)
        }
        _ => Ok(decoder.i64()?.into()),
    }
}
