<?php
// Symfony's own Doctrine transport, one call per process: a JSON order on stdin, its result as JSON on stdout.

declare(strict_types=1);

require '/usr/share/php/Doctrine/DBAL/autoload.php';
require '/usr/share/php/Symfony/Component/Messenger/Bridge/Doctrine/autoload.php';

use Doctrine\DBAL\DriverManager;
use Symfony\Component\Messenger\Bridge\Doctrine\Transport\Connection;
use Symfony\Component\Messenger\Bridge\Doctrine\Transport\PostgreSqlConnection;

error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
date_default_timezone_set('UTC');

$order = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
$database = DriverManager::getConnection($order['database']);
$class = 'pdo_pgsql' === $order['database']['driver'] ? PostgreSqlConnection::class : Connection::class;
$transport = new $class(['queue_name' => $order['queue']], $database);

$result = match ($order['call']) {
    'setup' => $transport->setup(),
    'send' => $transport->send($order['body'], $order['headers'], $order['delay']),
    'get' => $transport->get(),
    'ack' => $transport->ack((string) $order['id']),
    'count' => $transport->getMessageCount(),
};

echo json_encode($result, JSON_THROW_ON_ERROR);
