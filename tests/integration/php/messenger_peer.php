<?php
// A PHP application on the real Symfony Messenger. Its order is one JSON line on stdin:
//   call      "dispatch" or "consume"
//   dsn       of the transport "async";  failed_dsn: of the failure transport "failed", or null
//   format    "json" (Symfony's serializer) or "php" (serialize(), Symfony's own default)
//   sign_key  null, or messages are signed with it and taken only signed, as Symfony does since 7.4
// dispatch:   contents: one message each;  to;  delay: milliseconds, or null;  trace: null, or the text of a stamp that
//             only this application knows
// consume:    receiver: "async" or "failed";  limit: messages, failed ones included;  max_retries
//             fail: the handler throws;  gate: null, or the handler waits until this file exists
//             log: a file that gets one JSON line when a message is received and one when it has been handled
//                  and one ("ready") when the worker starts. SIGTERM lets it finish its message.
// install:    what to tell people when something is missing here

declare(strict_types=1);

namespace {
    $order = json_decode(fgets(STDIN), true, 512, JSON_THROW_ON_ERROR);
    $components = ['EventDispatcher', 'ErrorHandler', 'PropertyInfo', 'PropertyAccess', 'Serializer', 'Messenger'];
    foreach (['Psr/Container', ...array_map(fn ($name) => "Symfony/Component/$name", $components)] as $package) {
        if (!extension_loaded('redis') || !is_file("/usr/share/php/$package/autoload.php")) {
            fwrite(STDERR, "php-redis or $package is not installed; on Debian: {$order['install']}\n");
            exit(1);
        }
        require "/usr/share/php/$package/autoload.php";
    }
    error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
}

namespace App\Message {
    class SmsNotification
    {
        public function __construct(public readonly string $content, public readonly ?string $to = null)
        {
        }
    }
}

namespace App\Stamp {
    use Symfony\Component\Messenger\Stamp\StampInterface;

    class TraceStamp implements StampInterface
    {
        public function __construct(public readonly string $trace)
        {
        }
    }
}

namespace App {
    use App\Message\SmsNotification;
    use App\Stamp\TraceStamp;
    use Psr\Container\ContainerInterface;
    use Symfony\Component\EventDispatcher\EventDispatcher;
    use Symfony\Component\Messenger\Bridge\Redis\Transport\RedisTransportFactory;
    use Symfony\Component\Messenger\Envelope;
    use Symfony\Component\Messenger\Event;
    use Symfony\Component\Messenger\EventListener;
    use Symfony\Component\Messenger\Exception\MessageDecodingFailedException;
    use Symfony\Component\Messenger\Handler\HandlersLocator;
    use Symfony\Component\Messenger\MessageBus;
    use Symfony\Component\Messenger\Middleware;
    use Symfony\Component\Messenger\Retry\MultiplierRetryStrategy;
    use Symfony\Component\Messenger\Stamp\DelayStamp;
    use Symfony\Component\Messenger\Transport\Sender\SendersLocator;
    use Symfony\Component\Messenger\Transport\Serialization\Normalizer\FlattenExceptionNormalizer;
    use Symfony\Component\Messenger\Transport\Serialization\PhpSerializer;
    use Symfony\Component\Messenger\Transport\Serialization\Serializer as JsonSerializer;
    use Symfony\Component\Messenger\Transport\Serialization\SerializerInterface;
    use Symfony\Component\Messenger\Worker;
    use Symfony\Component\PropertyAccess\PropertyAccess;
    use Symfony\Component\PropertyInfo\Extractor\ReflectionExtractor;
    use Symfony\Component\Serializer\Encoder\JsonEncoder;
    use Symfony\Component\Serializer\Normalizer;
    use Symfony\Component\Serializer\Serializer;

    /** Services by name. */
    final class Services implements ContainerInterface
    {
        public function __construct(private array $services)
        {
        }

        public function get(string $id): mixed
        {
            return $this->services[$id];
        }

        public function has(string $id): bool
        {
            return isset($this->services[$id]);
        }
    }

    /** As Symfony's framework wires it. */
    function json_serializer(): JsonSerializer
    {
        $objects = new Normalizer\ObjectNormalizer(
            null, null, PropertyAccess::createPropertyAccessor(), new ReflectionExtractor()
        );
        $normalizers = [
            new FlattenExceptionNormalizer(), new Normalizer\DateTimeNormalizer(), new Normalizer\ArrayDenormalizer(), $objects,
        ];

        return new JsonSerializer(new Serializer($normalizers, [new JsonEncoder()]));
    }

    /** Signed bodies. Symfony has them since 7.4; this is the same on the wire, with PHP's own hash_hmac(). */
    final class Signed implements SerializerInterface
    {
        public function __construct(private SerializerInterface $serializer, private string $key)
        {
        }

        public function encode(Envelope $envelope): array
        {
            $encoded = $this->serializer->encode($envelope);
            $encoded['headers'] += ['Body-Sign' => hash_hmac('sha256', $encoded['body'], $this->key), 'Sign-Algo' => 'sha256'];

            return $encoded;
        }

        public function decode(array $encoded): Envelope
        {
            $expected = hash_hmac($encoded['headers']['Sign-Algo'], $encoded['body'], $this->key);
            if (!hash_equals($expected, $encoded['headers']['Body-Sign'])) {
                throw new MessageDecodingFailedException('The signature does not fit.');
            }

            return $this->serializer->decode($encoded);
        }
    }

    function transports(array $order): array
    {
        $serializer = 'php' === $order['format'] ? new PhpSerializer() : json_serializer();
        if (null !== $order['sign_key']) {
            $serializer = new Signed($serializer, $order['sign_key']);
        }
        $factory = new RedisTransportFactory();
        $dsns = array_filter(['async' => $order['dsn'], 'failed' => $order['failed_dsn']]);

        return array_map(fn ($dsn) => $factory->createTransport($dsn, [], $serializer), $dsns);
    }

    function bus(array $transports, callable $handler): MessageBus
    {
        return new MessageBus([
            new Middleware\AddBusNameStampMiddleware('messenger.bus.default'),
            new Middleware\FailedMessageProcessingMiddleware(),
            new Middleware\SendMessageMiddleware(new SendersLocator([SmsNotification::class => ['async']], new Services($transports))),
            new Middleware\HandleMessageMiddleware(new HandlersLocator([SmsNotification::class => [$handler]])),
        ]);
    }

    function dispatch(array $order): void
    {
        $bus = bus(transports($order), fn () => throw new \LogicException('A producer handles nothing.'));
        $stamps = [];
        if (null !== $order['delay']) {
            $stamps[] = new DelayStamp($order['delay']);
        }
        if (null !== $order['trace']) {
            $stamps[] = new TraceStamp($order['trace']);
        }
        foreach ($order['contents'] as $content) {
            $bus->dispatch(new SmsNotification($content, $order['to']), $stamps);
        }
    }

    function handler(array $order): callable
    {
        return function (SmsNotification $message) use ($order): void {
            while (null !== $order['gate'] && !file_exists($order['gate'])) {
                usleep(10000);
                clearstatcache();
            }
            if ($order['fail']) {
                throw new \RuntimeException('Gateway is down.', 7);
            }
        };
    }

    function write_log(array $order, string $event, ?Envelope $envelope = null): void
    {
        $line = ['event' => $event];
        if (null !== $envelope) {
            $message = $envelope->getMessage();
            $headers = json_serializer()->encode($envelope)['headers'];
            $line += ['content' => $message->content, 'to' => $message->to, 'headers' => $headers];
        }
        file_put_contents($order['log'], json_encode($line, JSON_THROW_ON_ERROR)."\n", FILE_APPEND);
    }

    function consume(array $order): void
    {
        $transports = transports($order);
        $events = new EventDispatcher();
        $retry = array_fill_keys(array_keys($transports), new MultiplierRetryStrategy($order['max_retries'], 0));
        $failure = isset($transports['failed']) ? ['async' => $transports['failed']] : [];
        foreach ([
            new EventListener\AddErrorDetailsStampListener(),
            new EventListener\SendFailedMessageForRetryListener(new Services($transports), new Services($retry)),
            new EventListener\SendFailedMessageToFailureTransportListener(new Services($failure)),
            new EventListener\StopWorkerOnMessageLimitListener($order['limit']),
            new EventListener\StopWorkerOnTimeLimitListener(100),
            new EventListener\DispatchPcntlSignalListener(),
            new EventListener\StopWorkerOnSigtermSignalListener(),
        ] as $listener) {
            $events->addSubscriber($listener);
        }
        $events->addListener(Event\WorkerMessageReceivedEvent::class, fn ($event) => write_log($order, 'received', $event->getEnvelope()));
        $events->addListener(Event\WorkerMessageHandledEvent::class, fn ($event) => write_log($order, 'handled', $event->getEnvelope()));
        $events->addListener(Event\WorkerStartedEvent::class, fn () => write_log($order, 'ready'));
        $receivers = [$order['receiver'] => $transports[$order['receiver']]];
        (new Worker($receivers, bus($transports, handler($order)), $events))->run(['sleep' => 10000]);
    }

    match ($order['call']) {
        'dispatch' => dispatch($order),
        'consume' => consume($order),
    };
}
